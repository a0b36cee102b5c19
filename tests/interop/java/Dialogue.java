import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** The commands `request` (ask and wait for replies), `reply` (answer them) and `trace` (send and receive with traces). */
final class Dialogue {
    private final Flags flags;
    private final String topic, group;
    private final int count, replyMs;
    private final Semaphore answered = new Semaphore(0);

    Dialogue(Flags flags) {
        this.flags = flags;
        topic = flags.need("topic");
        group = flags.need("group");
        count = flags.number("count", 1);
        replyMs = flags.number("reply-ms", 120_000);
    }

    int run() throws Exception {
        switch (flags.command) {
            case "request": request(); break;
            case "reply": reply(); break;
            default: trace();
        }
        Events.print("done");
        return 0;
    }

    private Message message(int seq) {
        return new Message(topic, "", "D" + seq, Body.make(flags.get("prefix", "P"), seq, flags.number("size", 100)));
    }

    private void request() throws Exception {
        if (flags.has("alone")) replier("R-" + group);
        DefaultMQProducer producer = ClientProgram.configured(new DefaultMQProducer(group), flags);
        producer.start();
        for (int seq = 0; seq < count; seq++) {
            Message reply = producer.request(message(seq), replyMs);
            Events.print("replied", "seq", seq, "body_prefix", Body.prefix(reply.getBody()), "size", reply.getBody().length,
                "pushed", reply.getProperty("PUSH_REPLY_TIME") != null);
        }
        // A reply comes before its sender hears that it was sent.
        if (flags.has("alone")) answered.acquire(count);
        producer.shutdown();
    }

    private void reply() throws Exception {
        Runnable end = replier(group);
        Events.print("ready");
        while (!Stop.wanted()) Thread.sleep(100);
        end.run();
    }

    /** A reply's body is an R and then that of the request. Gives what ends it. */
    private Runnable replier(String group) throws Exception {
        DefaultMQProducer producer = ClientProgram.configured(new DefaultMQProducer(group + "-replies"), flags);
        producer.start();
        DefaultMQPushConsumer consumer = consumer(new DefaultMQPushConsumer(group), message -> {
            byte[] body = new byte[message.getBody().length + 1];
            body[0] = 'R';
            System.arraycopy(message.getBody(), 0, body, 1, body.length - 1);
            SendResult sent = producer.send(MessageUtil.createReplyMessage(message, body), replyMs);
            Events.print("answered", "status", sent.getSendStatus(), "msgId", sent.getOffsetMsgId());
            answered.release();
        });
        return () -> {
            consumer.shutdown();
            producer.shutdown();
        };
    }

    private void trace() throws Exception {
        DefaultMQProducer producer = ClientProgram.configured(new DefaultMQProducer(group + "-sends", null, true, null), flags);
        producer.start();
        for (int seq = 0; seq < count; seq++) Events.print("sent", "seq", seq, "msgId", producer.send(message(seq)).getMsgId());
        CountDownLatch all = new CountDownLatch(count);
        DefaultMQPushConsumer consumer = consumer(new DefaultMQPushConsumer(group, null, new AllocateMessageQueueAveragely(), true, null), message -> all.countDown());
        if (!all.await(180, TimeUnit.SECONDS)) throw new IllegalStateException(all.getCount() + " messages are missing");
        // A shutdown gives up on traces that are not sent soon, and 5.x's does not wait for them at all.
        while (!Stop.wanted()) Thread.sleep(50);
        consumer.shutdown();
        producer.shutdown();
    }

    private interface Listener { void received(MessageExt message) throws Exception; }

    private DefaultMQPushConsumer consumer(DefaultMQPushConsumer consumer, Listener listener) throws Exception {
        ClientProgram.configured(consumer, flags);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (all, context) -> {
            try {
                for (MessageExt message : (List<MessageExt>) all) listener.received(message);
            } catch (Exception e) {
                Events.print("failed", "message", e.toString());
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        return consumer;
    }
}
