import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** The events of a client program: one JSON object a line on standard output, or in a journal that several programs share. */
final class Events {
    private static final PrintStream OUT = System.out;
    private static final StringBuilder BUFFER = new StringBuilder();
    private static FileOutputStream journal;
    private static String who;

    private Events() {}

    /**
     * From now on events are appended to a file, each with `who` told it and `told`, the time in ms. What is flushed is one write,
     * so lines of several programs stay whole; it begins on a new line, for a program that was killed may have cut off its last one.
     */
    static synchronized void journal(String path, String name) throws IOException {
        if (journal == null) journal = new FileOutputStream(path, true);
        who = name;
    }

    /** Writes an event and flushes it. Fields come as name, value, name, value ... */
    static synchronized void print(String event, Object... fields) {
        append(event, fields);
        flush();
    }

    /** Writes an event that the next `flush` or `print` carries out. */
    static synchronized void append(String event, Object... fields) {
        BUFFER.append("{\"event\":\"").append(event).append('"');
        if (journal != null) BUFFER.append(",\"who\":\"").append(who).append("\",\"told\":").append(System.currentTimeMillis());
        for (int i = 0; i < fields.length; i += 2) {
            BUFFER.append(",\"").append(fields[i]).append("\":");
            Object value = fields[i + 1];
            if (value == null || value instanceof Number || value instanceof Boolean) BUFFER.append(value);
            else quote(value.toString());
        }
        BUFFER.append("}\n");
    }

    static synchronized void flush() {
        if (BUFFER.length() == 0) return;
        if (journal != null) BUFFER.insert(0, '\n');
        byte[] bytes = BUFFER.toString().getBytes(StandardCharsets.UTF_8);
        BUFFER.setLength(0);
        if (journal == null) {
            OUT.write(bytes, 0, bytes.length);
            OUT.flush();
            return;
        }
        try {
            journal.write(bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void quote(String text) {
        BUFFER.append('"');
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') BUFFER.append('\\').append(c);
            else if (c < 32) BUFFER.append(String.format("\\u%04x", (int) c));
            else BUFFER.append(c);
        }
        BUFFER.append('"');
    }

    /** The file of acknowledged messages, a line `seq queueId queueOffset` each, written out as each comes. */
    static final class AckFile {
        private final FileOutputStream file;

        AckFile(String path) throws IOException { file = path == null ? null : new FileOutputStream(path, true); }

        synchronized void add(int seq, int queueId, long queueOffset) throws IOException {
            if (file != null) file.write((seq + " " + queueId + " " + queueOffset + "\n").getBytes(StandardCharsets.US_ASCII));
        }
    }
}
