import java.util.HashMap;
import java.util.Map;

/** The command line of a client program: one command word, then `--name value` pairs and `--switch` words. */
final class Flags {
    final String command;
    private final Map<String, String> values = new HashMap<>();

    Flags(String[] argv) {
        if (argv.length == 0) throw new IllegalArgumentException("a command is needed: send, transaction, receive, createTopic, view, query, minmax");
        command = argv[0];
        for (int i = 1; i < argv.length; i++) {
            if (!argv[i].startsWith("--")) throw new IllegalArgumentException("not a flag: " + argv[i]);
            boolean last = i + 1 == argv.length || argv[i + 1].startsWith("--");
            values.put(argv[i].substring(2), last ? "true" : argv[++i]);
        }
    }

    String need(String name) {
        String value = values.get(name);
        if (value == null) throw new IllegalArgumentException("--" + name + " is needed for " + command);
        return value;
    }

    String get(String name, String otherwise) { return values.getOrDefault(name, otherwise); }

    int number(String name, int otherwise) { return Integer.parseInt(values.getOrDefault(name, "" + otherwise)); }

    boolean has(String name) { return values.containsKey(name); }
}
