import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** The wish to stop, from SIGTERM or a closed standard input; the exit waits until the program has said its last word. */
final class Stop {
    /** A consumer waits twice 5 s for its listeners, and each request may take some seconds when nobody answers. */
    private static final int LAST_WORD_S = 100;
    private static final CountDownLatch FINISHED = new CountDownLatch(1);
    private static volatile boolean wanted;

    private Stop() {}

    static boolean wanted() { return wanted; }

    static void want() { wanted = true; }

    static void finished() { FINISHED.countDown(); }

    static void onSignal() {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            wanted = true;
            try {
                FINISHED.await(LAST_WORD_S, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }));
    }

    static void onInputClosed() {
        Thread reader = new Thread(() -> {
            try {
                while (System.in.read() >= 0) { }
            } catch (java.io.IOException e) {
                // a broken standard input is a closed one
            }
            wanted = true;
        });
        reader.setDaemon(true);
        reader.start();
    }
}
