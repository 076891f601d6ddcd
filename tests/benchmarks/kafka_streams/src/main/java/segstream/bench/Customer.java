package segstream.bench;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** W2's state of one customer: events, segment, and the instants of the two latest orders (0: none). */
record Customer(long events, byte segment, long newest, long second) {

  static final byte NOWHERE = 0;
  static final byte PROSPECT = 1;
  static final byte ACTIVE = 2;
  static final byte FREQUENT = 3;
  static final byte AT_RISK = 4;
  static final String[] NAMES = {null, "prospect", "active", "frequent", "at-risk"};
  static final long ABSENCE_MS = 30L * 86_400_000;
  static final Customer NEW = new Customer(0, NOWHERE, 0, 0);

  Customer with(Event event, long now) {
    if (!event.isOrder()) {
      return new Customer(events + 1, segment == NOWHERE ? PROSPECT : segment, newest, second);
    }
    boolean many = second > now - ABSENCE_MS; // with this order three
    byte target = segment == FREQUENT || many ? FREQUENT : ACTIVE;
    return new Customer(events + 1, target, now, newest);
  }

  Customer absent() {
    return new Customer(events, AT_RISK, newest, second);
  }

  boolean buys() {
    return segment == ACTIVE || segment == FREQUENT;
  }

  static Serde<Customer> serde() {
    return Serdes.serdeFrom(
        (topic, c) ->
            c == null
                ? null
                : ByteBuffer.allocate(25)
                    .putLong(c.events)
                    .put(c.segment)
                    .putLong(c.newest)
                    .putLong(c.second)
                    .array(),
        (topic, bytes) -> {
          if (bytes == null) {
            return null;
          }
          ByteBuffer b = ByteBuffer.wrap(bytes);
          return new Customer(b.getLong(), b.get(), b.getLong(), b.getLong());
        });
  }
}
