package segstream.bench;

import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/** Runs W1 or W2 (first argument) with a processing guarantee (second) until all events are handled and committed. */
public final class Peer {
  private Peer() {}

  public static void main(String[] arguments) throws Exception {
    Progress progress = new Progress();
    StreamsBuilder builder = new StreamsBuilder();
    if (arguments[0].equals("w1")) {
      Totals.build(builder, progress);
    } else {
      Lifecycle.build(builder, progress);
    }
    KafkaStreams streams = new KafkaStreams(builder.build(), settings(arguments[1]));
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          Runtime.getRuntime().halt(1);
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    streams.start();
    progress.await();
    if (arguments[1].startsWith("exactly_once")) {
      awaitCommitted(); // what an aborted transaction had handled is counted again when it is repeated
    }
    streams.close(); // commits
    progress.tell();
  }

  /** Wait until all events are committed: their offsets count from 0 in every partition. */
  private static void awaitCommitted() throws Exception {
    long all = Long.parseLong(System.getenv("BENCH_EVENTS"));
    String group = System.getenv("BENCH_APP");
    Map<String, Object> broker =
        Map.of(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("BENCH_BROKER"));
    try (Admin admin = Admin.create(broker)) {
      while (committed(admin, group) < all) {
        Thread.sleep(20);
      }
    }
  }

  private static long committed(Admin admin, String group) throws Exception {
    String topic = System.getenv("BENCH_TOPIC");
    return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().entrySet().stream()
        .filter(entry -> entry.getKey().topic().equals(topic) && entry.getValue() != null)
        .mapToLong(entry -> entry.getValue().offset())
        .sum();
  }

  /** Defaults, but for a record cache that holds all customers of a run, and a lasting name in the group. */
  private static Properties settings(String guarantee) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, System.getenv("BENCH_APP"));
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("BENCH_BROKER"));
    settings.put(StreamsConfig.STATE_DIR_CONFIG, System.getenv("BENCH_FOLDER") + "/state");
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, guarantee);
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, Integer.parseInt(System.getenv("BENCH_THREADS")));
    settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64L << 20);
    // A restart under the same name need not wait until the member before it is taken for dead.
    settings.put(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG, "peer");
    settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    return settings;
  }
}
