import java.util.concurrent.CountDownLatch;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.client.producer.TransactionSendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** The command `transaction`: what its local transactions and its checks say is given by flags, each a list to go through. */
final class TransactionSender implements TransactionListener {
    private final Flags flags;
    private final String[] outcomes, checks;
    private final TransactionMQProducer producer;
    private int checked;

    TransactionSender(Flags flags) throws Exception {
        this.flags = flags;
        outcomes = flags.get("outcome", "commit").split(",");
        checks = flags.get("check", "commit").split(",");
        producer = ClientProgram.configured(new TransactionMQProducer(null, flags.need("group"), null, flags.has("trace"), null), flags);
        producer.setSendMsgTimeout(5000);
        producer.setTransactionListener(this);
    }

    int run() throws Exception {
        producer.start();
        Events.print("ready");
        int count = flags.number("count", 0);
        for (int seq = 0; seq < count && !Stop.wanted(); seq++) {
            Message message = new Message(flags.need("topic"), flags.get("tag", ""), Body.make("P", seq, flags.number("size", 1024)));
            if (flags.has("immunity-s")) message.putUserProperty("CHECK_IMMUNITY_TIME_IN_SECONDS", flags.need("immunity-s"));
            sent(seq, producer.sendMessageInTransaction(message, seq));
        }
        while (flags.has("linger") && !Stop.wanted()) Thread.sleep(50);
        producer.shutdown();
        Events.print("done", "sent", count, "failed", 0);
        return 0;
    }

    private static void sent(int seq, SendResult result) {
        Events.print("sent", "seq", seq, "msgId", result.getMsgId(), "offsetMsgId", result.getOffsetMsgId(), "queueId",
            result.getMessageQueue().getQueueId(), "queueOffset", result.getQueueOffset(), "status", result.getSendStatus().name(),
            "state", ((TransactionSendResult) result).getLocalTransactionState().name());
    }

    @Override public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
        String outcome = outcomes[(Integer) argument % outcomes.length];
        Events.print("executing", "seq", argument, "outcome", outcome, "transactionId", message.getTransactionId());
        if (outcome.equals("hang")) hang();
        return state(outcome);
    }

    @Override public LocalTransactionState checkLocalTransaction(MessageExt message) {
        String outcome = checks[checked++ % checks.length];
        Events.print("checked", "body_prefix", Body.prefix(message.getBody()), "outcome", outcome, "topic", message.getTopic(),
            "times", message.getProperty("TRANSACTION_CHECK_TIMES"), "transactionId", message.getTransactionId(),
            "queueOffset", message.getQueueOffset());
        return state(outcome);
    }

    private static void hang() {
        try {
            new CountDownLatch(1).await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static LocalTransactionState state(String outcome) {
        switch (outcome) {
            case "commit": return LocalTransactionState.COMMIT_MESSAGE;
            case "rollback": return LocalTransactionState.ROLLBACK_MESSAGE;
            default: return LocalTransactionState.UNKNOW;
        }
    }
}
