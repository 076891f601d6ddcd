package segstream.bench;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** What both tasks read of an event; the rest of its JSON is skipped. */
@JsonIgnoreProperties(ignoreUnknown = true)
record Event(String userId, String event, String timestamp, Properties properties) {

  static final String ORDER = "Order Completed";

  private static final ObjectReader READER =
      new ObjectMapper().disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).readerFor(Event.class);

  @JsonIgnoreProperties(ignoreUnknown = true)
  record Properties(double total) {}

  boolean isOrder() {
    return ORDER.equals(event);
  }

  long instant() {
    return Instant.parse(timestamp).toEpochMilli();
  }

  static Serde<Event> serde() {
    return Serdes.serdeFrom(
        (topic, event) -> {
          throw new UnsupportedOperationException("events are only read");
        },
        (topic, bytes) -> {
          try {
            return READER.readValue(bytes);
          } catch (IOException error) {
            throw new UncheckedIOException(error);
          }
        });
  }
}
