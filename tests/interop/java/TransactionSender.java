import java.util.concurrent.CountDownLatch;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.client.producer.TransactionSendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * The command `transaction`: what its local transactions and its checks say is given by flags, each a list to go through.
 * With --by-seq a check's place in its list is the message's number, as that of a local transaction always is, so that any
 * program of the group gives the same answer; `unknown/commit` there says unknown the first time and commit from then on.
 */
final class TransactionSender implements TransactionListener {
    private final Flags flags;
    private final String[] outcomes, checks;
    private final String topic, prefix;
    private final TransactionMQProducer producer;
    private int checked;

    TransactionSender(Flags flags) throws Exception {
        this.flags = flags;
        outcomes = flags.get("outcome", "commit").split(",");
        checks = flags.get("check", "commit").split(",");
        topic = flags.need("topic");
        prefix = flags.get("prefix", "P");
        producer = ClientProgram.configured(new TransactionMQProducer(null, flags.need("group"), null, flags.has("trace"), null), flags);
        producer.setSendMsgTimeout(ClientProgram.requestTimeoutMs(flags));
        producer.setTransactionListener(this);
    }

    int run() throws Exception {
        boolean forever = flags.has("forever");
        if (forever) Stop.onInputClosed();
        producer.start();
        Events.print("ready");
        int count = forever ? Integer.MAX_VALUE : flags.number("count", 0);
        int sent = 0;
        for (int seq = flags.number("first", 0); seq < count && !Stop.wanted(); ) {
            if (send(seq, forever)) {
                seq++;
                sent++;
            } else {
                Thread.sleep(50);
            }
            Thread.sleep(flags.number("interval-ms", 0));
        }
        while (flags.has("linger") && !Stop.wanted()) Thread.sleep(50);
        producer.shutdown();
        Events.print("done", "sent", sent, "failed", 0);
        return 0;
    }

    /** Whether the half message is stored; where failures are not to be borne they are thrown. */
    private boolean send(int seq, boolean bearsFailure) throws Exception {
        Message message = new Message(topic, flags.get("tag", ""), Body.make(prefix, seq, flags.number("size", 1024)));
        if (flags.has("immunity-s")) message.putUserProperty("CHECK_IMMUNITY_TIME_IN_SECONDS", flags.need("immunity-s"));
        try {
            SendResult result = producer.sendMessageInTransaction(message, seq);
            sent(seq, result);
            return result.getSendStatus() == SendStatus.SEND_OK || !bearsFailure;
        } catch (MQClientException e) {
            if (!bearsFailure) throw e;
            Events.print("failed", "topic", topic, "prefix", prefix, "seq", seq, "message", e.toString());
            return false;
        }
    }

    private void sent(int seq, SendResult result) {
        Events.print("sent", "topic", topic, "prefix", prefix, "seq", seq, "msgId", result.getMsgId(), "offsetMsgId", result.getOffsetMsgId(), "queueId",
            result.getMessageQueue().getQueueId(), "queueOffset", result.getQueueOffset(), "status", result.getSendStatus().name(),
            "state", ((TransactionSendResult) result).getLocalTransactionState().name());
    }

    @Override public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
        String outcome = outcomes[(Integer) argument % outcomes.length];
        Events.print("executing", "topic", topic, "prefix", prefix, "seq", argument, "outcome", outcome, "transactionId",
            message.getTransactionId());
        if (outcome.equals("hang")) hang();
        pause(flags.number("work-ms", 0));
        return state(outcome);
    }

    @Override public LocalTransactionState checkLocalTransaction(MessageExt message) {
        String body = Body.prefix(message.getBody()), times = message.getProperty("TRANSACTION_CHECK_TIMES");
        int place = flags.has("by-seq") ? Integer.parseInt(body.split(":")[1]) : checked++;
        String[] turns = checks[place % checks.length].split("/");
        String outcome = turns[Math.min(Integer.parseInt(times), turns.length) - 1];
        Events.print("checked", "body_prefix", body, "outcome", outcome, "topic", message.getTopic(), "times", times,
            "transactionId", message.getTransactionId(), "queueOffset", message.getQueueOffset());
        return state(outcome);
    }

    private static void pause(int ms) {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
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
