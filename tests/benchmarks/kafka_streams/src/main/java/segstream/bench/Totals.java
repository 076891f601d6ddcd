package segstream.bench;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.state.Stores;

/** W1: events, money spent and the last event's time of every customer, by the DSL's aggregate. */
record Totals(long events, double spent, long last) {

  private static final Totals NONE = new Totals(0, 0, 0);

  Totals with(Event event) {
    return new Totals(
        events + 1, event.isOrder() ? spent + event.properties().total() : spent, Math.max(last, event.instant()));
  }

  static void build(StreamsBuilder builder, Progress progress) {
    builder.stream(System.getenv("BENCH_TOPIC"), Consumed.with(Serdes.String(), Event.serde()))
        .groupByKey()
        .aggregate(
            () -> NONE,
            (customer, event, totals) -> {
              Totals after = totals.with(event);
              progress.handled();
              return after;
            },
            Materialized.<String, Totals>as(Stores.persistentKeyValueStore("totals"))
                .withKeySerde(Serdes.String())
                .withValueSerde(serde()));
  }

  private static Serde<Totals> serde() {
    return Serdes.serdeFrom(
        (topic, totals) ->
            totals == null
                ? null
                : ByteBuffer.allocate(24).putLong(totals.events).putDouble(totals.spent).putLong(totals.last).array(),
        (topic, bytes) -> {
          if (bytes == null) {
            return null;
          }
          ByteBuffer buffer = ByteBuffer.wrap(bytes);
          return new Totals(buffer.getLong(), buffer.getDouble(), buffer.getLong());
        });
  }
}
