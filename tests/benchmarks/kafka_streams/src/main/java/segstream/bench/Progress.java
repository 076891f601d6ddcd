package segstream.bench;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;

/** Counts handled events and notes the first, the one that ends the warming up, and the last; as progress.py does. */
final class Progress {
  private static final OperatingSystemMXBean SYSTEM =
      (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

  private final long warm = Long.parseLong(System.getenv("BENCH_WARM"));
  private final long all = Long.parseLong(System.getenv("BENCH_EVENTS"));
  private final CountDownLatch done = new CountDownLatch(1);
  private long events;
  private long first;
  private long warmAt;
  private long end;
  private long warmCpu;
  private long endCpu;

  /** One more; called by all stream threads. */
  synchronized void handled() {
    if (events == 0) {
      first = System.nanoTime();
    }
    events++;
    if (events == warm) {
      warmAt = System.nanoTime();
      warmCpu = SYSTEM.getProcessCpuTime();
    }
    if (events == all) {
      end = System.nanoTime();
      endCpu = SYSTEM.getProcessCpuTime();
      done.countDown();
    }
  }

  void await() throws InterruptedException {
    done.await();
  }

  /** The clock of nanoTime is the monotonic clock of the system on Linux, which the suite reads too. */
  void tell() throws IOException {
    String found =
        String.format(
            Locale.ROOT,
            "{\"started\": %s, \"first\": %.6f, \"warm\": %.6f, \"warm_events\": %d, \"warm_cpu\": %.6f,"
                + " \"end\": %.6f, \"end_cpu\": %.6f, \"events\": %d}",
            System.getenv("BENCH_STARTED"),
            first / 1e9,
            warmAt / 1e9,
            warm,
            warmCpu / 1e9,
            end / 1e9,
            endCpu / 1e9,
            events);
    Path report = Path.of(System.getenv("BENCH_REPORT"));
    Path draft = report.resolveSibling(report.getFileName() + ".draft");
    Files.writeString(draft, found);
    Files.move(draft, report, StandardCopyOption.ATOMIC_MOVE);
  }
}
