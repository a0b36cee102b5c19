import org.apache.rocketmq.client.ClientConfig;

/** Entry of the Java client program: a foreign client with the command language that all families share. */
public final class ClientProgram {
    /**
     * Instead of 30 s. A push consumer that takes up queues raises the version of its subscription (RebalancePushImpl.messageQueueChanged)
     * and tells the broker by a heartbeat, which it leaves out when another heartbeat is under way
     * (MQClientInstance.sendHeartbeatToAllBrokerWithLockV2). Until the next one all its pulls are answered SUBSCRIPTION_NOT_LATEST. In
     * 5.x the first rebalance and the first scheduled heartbeat both come 1000 ms after the start, so that this happens to one
     * start in twenty, with Apache's brokers too.
     */
    private static final int HEARTBEAT_MS = 3000;

    private ClientProgram() {}

    public static void main(String[] argv) {
        int code = 1;
        Stop.onSignal();
        try {
            Flags flags = new Flags(argv);
            systemProperties(flags);
            switch (flags.command) {
                case "transaction": code = new TransactionSender(flags).run(); break;
                case "send": code = new Sender(flags).run(); break;
                case "receive": code = new Receiver(flags).run(); break;
                case "createTopic": case "view": case "query": case "minmax": case "traces": code = new Asker(flags).run(); break;
                case "request": case "reply": case "trace": code = new Dialogue(flags).run(); break;
                default: throw new IllegalArgumentException("unknown command " + flags.command);
            }
        } catch (Throwable e) {
            e.printStackTrace();
            Events.print("error", "message", e.toString());
        }
        Events.flush();
        Stop.finished();
        System.exit(code);
    }

    /** What the client reads from the command line of a JVM, before its first class is there. */
    private static void systemProperties(Flags flags) {
        System.setProperty("com.rocketmq.sendMessageWithVIPChannel", "" + flags.has("vip"));
        if (flags.has("compress")) System.setProperty("rocketmq.message.compressType", flags.need("compress"));
        if (flags.has("compress-level")) System.setProperty("rocketmq.message.compressLevel", flags.need("compress-level"));
        if (flags.has("offsets")) System.setProperty("rocketmq.client.localOffsetStoreDir", flags.need("offsets"));
    }

    /** What every client needs: the name server, a name of its own, no long wait for a heartbeat; and what was asked for. */
    static <C extends ClientConfig> C configured(C client, Flags flags) throws Exception {
        client.setNamesrvAddr(flags.need("namesrv"));
        client.setHeartbeatBrokerInterval(HEARTBEAT_MS);
        if (flags.has("instance")) client.setInstanceName(flags.need("instance"));
        if (flags.has("client-ip")) client.setClientIP(flags.need("client-ip"));
        if (flags.has("namespace")) client.setNamespace(flags.need("namespace"));
        // only 5.x has it
        if (flags.has("namespace-v2")) ClientConfig.class.getMethod("setNamespaceV2", String.class).invoke(client, flags.need("namespace-v2"));
        if (flags.has("unit")) {
            client.setUnitMode(true);
            client.setUnitName(flags.need("unit"));
        }
        return client;
    }
}
