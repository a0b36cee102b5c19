import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.rocketmq.client.ClientConfig;

/**
 * Entry of the Java client program: a foreign client with the command language that all families share.
 * Several commands, with a comma as a word of its own between them, run beside each other; one that fails ends the others too.
 */
public final class ClientProgram {
    /**
     * Instead of 30 s. A push consumer that takes up queues raises the version of its subscription (RebalancePushImpl.messageQueueChanged)
     * and tells the broker by a heartbeat, which it leaves out when another heartbeat is under way
     * (MQClientInstance.sendHeartbeatToAllBrokerWithLockV2). Until the next one all its pulls are answered SUBSCRIPTION_NOT_LATEST. In
     * 5.x the first rebalance and the first scheduled heartbeat both come 1000 ms after the start, so that this happens to one
     * start in twenty, with Apache's brokers too.
     */
    private static final int HEARTBEAT_MS = 3000;
    /**
     * Instead of 3 s. A client of which one request is not answered in time closes the connection, and with it fails its other requests;
     * when those are of its start or of a send, a test fails for nothing but a busy machine.
     */
    private static final int REQUEST_TIMEOUT_MS = 20000;

    private ClientProgram() {}

    public static void main(String[] argv) {
        Stop.onSignal();
        List<String[]> commands = split(argv);
        int[] codes = new int[commands.size()];
        Thread[] others = new Thread[commands.size()];
        for (int i = 1; i < others.length; i++) {
            int number = i;
            others[i] = new Thread(() -> codes[number] = run(commands.get(number)));
            others[i].start();
        }
        codes[0] = run(commands.get(0));
        for (int i = 1; i < others.length; i++) joined(others[i]);
        Events.flush();
        Stop.finished();
        System.exit(Arrays.stream(codes).max().getAsInt());
    }

    private static List<String[]> split(String[] argv) {
        List<String[]> commands = new ArrayList<>();
        int begin = 0;
        for (int i = 0; i <= argv.length; i++) {
            if (i < argv.length && !argv[i].equals(",")) continue;
            commands.add(Arrays.copyOfRange(argv, begin, i));
            begin = i + 1;
        }
        return commands;
    }

    private static void joined(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static int run(String[] argv) {
        try {
            Flags flags = new Flags(argv);
            systemProperties(flags);
            if (flags.has("journal")) Events.journal(flags.need("journal"), flags.need("who"));
            switch (flags.command) {
                case "transaction": return new TransactionSender(flags).run();
                case "send": return new Sender(flags).run();
                case "receive": return new Receiver(flags).run();
                case "createTopic": case "view": case "query": case "minmax": case "traces": return new Asker(flags).run();
                case "oversee": return new Overseer(flags).run();
                case "request": case "reply": case "trace": return new Dialogue(flags).run();
                default: throw new IllegalArgumentException("unknown command " + flags.command);
            }
        } catch (Throwable e) {
            e.printStackTrace();
            Events.print("error", "message", e.toString());
            Stop.want();
            return 1;
        }
    }

    /** What the client reads from the command line of a JVM, before its first class is there. */
    private static void systemProperties(Flags flags) {
        System.setProperty("com.rocketmq.sendMessageWithVIPChannel", "" + flags.has("vip"));
        if (flags.has("compress")) System.setProperty("rocketmq.message.compressType", flags.need("compress"));
        if (flags.has("compress-level")) System.setProperty("rocketmq.message.compressLevel", flags.need("compress-level"));
        if (flags.has("offsets")) System.setProperty("rocketmq.client.localOffsetStoreDir", flags.need("offsets"));
    }

    /** What a request may take, a send with its retries too. */
    static int requestTimeoutMs(Flags flags) { return flags.number("request-timeout-ms", REQUEST_TIMEOUT_MS); }

    /** What every client needs: the name server, a name of its own, no long wait for a heartbeat; and what was asked for. */
    static <C extends ClientConfig> C configured(C client, Flags flags) throws Exception {
        client.setNamesrvAddr(flags.need("namesrv"));
        client.setHeartbeatBrokerInterval(HEARTBEAT_MS);
        client.setMqClientApiTimeout(requestTimeoutMs(flags));
        if (flags.has("instance")) client.setInstanceName(flags.need("instance"));
        if (flags.has("client-ip")) client.setClientIP(flags.need("client-ip"));
        if (flags.has("namespace")) client.setNamespace(flags.need("namespace"));
        // only 5.x has it
        if (flags.has("namespace-v2")) ClientConfig.class.getMethod("setNamespaceV2", String.class).invoke(client, flags.need("namespace-v2"));
        if (flags.has("unit")) {
            client.setUnitMode(true);
            client.setUnitName(flags.need("unit"));
        }
        client.setHeartbeatBrokerInterval(flags.number("heartbeat-ms", client.getHeartbeatBrokerInterval()));
        client.setPollNameServerInterval(flags.number("poll-ms", client.getPollNameServerInterval()));
        return client;
    }
}
