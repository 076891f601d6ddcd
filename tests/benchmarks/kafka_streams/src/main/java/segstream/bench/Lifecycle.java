package segstream.bench;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * W2: a store of customers, and a store of timers ordered by their instants, which a punctuation of stream time walks. A
 * customer's own timer is also looked at before an event, so that what is due comes first.
 */
final class Lifecycle extends ContextualProcessor<String, Event, String, String> {
  private static final Duration EVERY = Duration.ofMinutes(1);
  private static final byte[] NOTHING = new byte[0];

  private final Progress progress;
  private KeyValueStore<String, Customer> customers;
  private KeyValueStore<byte[], byte[]> timers;

  private Lifecycle(Progress progress) {
    this.progress = progress;
  }

  static void build(StreamsBuilder builder, Progress progress) {
    builder.addStateStore(
        Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore("customers"), Serdes.String(), Customer.serde())
            .withCachingEnabled());
    builder.addStateStore(
        Stores.keyValueStoreBuilder(
            Stores.inMemoryKeyValueStore("timers"), Serdes.ByteArray(), Serdes.ByteArray()));
    Consumed<String, Event> source =
        Consumed.with(Serdes.String(), Event.serde())
            .withTimestampExtractor((record, before) -> ((Event) record.value()).instant());
    builder.stream(System.getenv("BENCH_TOPIC"), source)
        .process(() -> new Lifecycle(progress), "customers", "timers")
        .to(System.getenv("BENCH_OUT"), Produced.with(Serdes.String(), Serdes.String()));
  }

  @Override
  public void init(ProcessorContext<String, String> context) {
    super.init(context);
    customers = context.getStateStore("customers");
    timers = context.getStateStore("timers");
    context.schedule(EVERY, PunctuationType.STREAM_TIME, this::fire);
  }

  @Override
  public void process(Record<String, Event> record) {
    String key = record.key();
    long now = record.timestamp();
    Customer before = customers.get(key);
    if (before == null) {
      before = Customer.NEW;
    }
    long due = before.newest() + Customer.ABSENCE_MS;
    boolean timed = before.buys();
    if (timed && due <= now) {
      timers.delete(timer(due, key));
      before = leave(key, before, due);
      timed = false;
    }
    Customer after = before.with(record.value(), now);
    if (record.value().isOrder()) {
      if (timed) {
        timers.delete(timer(due, key));
      }
      timers.put(timer(now + Customer.ABSENCE_MS, key), NOTHING);
    }
    customers.put(key, after);
    if (after.segment() != before.segment()) {
      tell(key, before.segment(), after.segment(), now);
    }
    progress.handled();
  }

  /** Everyone whose time has come up to this instant. */
  private void fire(long now) {
    List<KeyValue<Long, String>> due = new ArrayList<>();
    try (KeyValueIterator<byte[], byte[]> found = timers.range(null, timer(now + 1, ""))) {
      while (found.hasNext()) {
        byte[] key = found.next().key;
        String customer = new String(key, Long.BYTES, key.length - Long.BYTES, StandardCharsets.UTF_8);
        due.add(KeyValue.pair(ByteBuffer.wrap(key).getLong(), customer));
      }
    }
    for (KeyValue<Long, String> one : due) {
      timers.delete(timer(one.key, one.value));
      customers.put(one.value, leave(one.value, customers.get(one.value), one.key));
    }
  }

  private Customer leave(String key, Customer customer, long at) {
    tell(key, customer.segment(), Customer.AT_RISK, at);
    return customer.absent();
  }

  private void tell(String key, byte from, byte to, long at) {
    String left = from == Customer.NOWHERE ? "null" : '"' + Customer.NAMES[from] + '"';
    String move =
        "{\"customer\":\"" + key + "\",\"from\":" + left + ",\"to\":\"" + Customer.NAMES[to] + "\",\"at\":" + at + "}";
    context().forward(new Record<>(key, move, at));
  }

  /** Big-endian, so that the order of the bytes is that of the instants. */
  private static byte[] timer(long at, String customer) {
    byte[] name = customer.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(Long.BYTES + name.length).putLong(at).put(name).array();
  }
}
