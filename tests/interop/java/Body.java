import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Message bodies: `PREFIX:00000042:` and then letters up to the size, without NUL bytes. */
final class Body {
    private Body() {}

    static byte[] make(String prefix, int seq, int size) {
        byte[] head = String.format("%s:%08d:", prefix, seq).getBytes(StandardCharsets.US_ASCII);
        byte[] body = Arrays.copyOf(head, Math.max(size, head.length));
        for (int i = head.length; i < body.length; i++) body[i] = (byte) ('a' + i % 26);
        return body;
    }

    /** Everything up to and with the second colon, or null where there is none. */
    static String prefix(byte[] body) {
        int colons = 0;
        for (int i = 0; i < body.length; i++) {
            if (body[i] == ':' && ++colons == 2) return new String(body, 0, i + 1, StandardCharsets.US_ASCII);
        }
        return null;
    }

    /** Is the padding behind the prefix whole, and the size the one expected (0: any)? */
    static boolean whole(byte[] body, String prefix, int size) {
        if (prefix == null || size > 0 && body.length != size) return false;
        for (int i = prefix.length(); i < body.length; i++) {
            if (body[i] != (byte) ('a' + i % 26)) return false;
        }
        return true;
    }
}
