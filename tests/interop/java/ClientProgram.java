import org.apache.rocketmq.client.ClientConfig;

/** Entry of the Java client program: a foreign client with the command language that all families share. */
public final class ClientProgram {
    private ClientProgram() {}

    public static void main(String[] argv) {
        int code = 1;
        Stop.onSignal();
        try {
            Flags flags = new Flags(argv);
            switch (flags.command) {
                case "transaction": code = new TransactionSender(flags).run(); break;
                case "send": code = new Sender(flags).run(); break;
                case "receive": code = new Receiver(flags).run(); break;
                case "createTopic": case "view": case "query": case "minmax": code = new Asker(flags).run(); break;
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

    /** What every client needs: the name server, a name of its own, no second port. */
    static <C extends ClientConfig> C configured(C client, Flags flags) {
        client.setNamesrvAddr(flags.need("namesrv"));
        client.setVipChannelEnabled(false);
        if (flags.has("instance")) client.setInstanceName(flags.need("instance"));
        return client;
    }
}
