package samples;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A message for two hours later, and a test that does not wait. */
class DelayedMessageTest {
    private static final int TWO_HOURS_LEVEL = 18;
    private RocketMQ rocketmq;
    private DefaultMQProducer producer;
    private DefaultMQPushConsumer consumer;

    @BeforeEach
    void start() throws Exception {
        rocketmq = new RocketMQ();
        rocketmq.run("createTopic", Map.of("topic", "reminders", "queues", 1));
        producer = new DefaultMQProducer("reminding");
        producer.setNamesrvAddr(rocketmq.nameServer());
        producer.start();
        consumer = new DefaultMQPushConsumer("reminded");
        consumer.setNamesrvAddr(rocketmq.nameServer());
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
    }

    @AfterEach
    void stop() throws Exception {
        consumer.shutdown();
        producer.shutdown();
        rocketmq.close();
    }

    @Test
    void aReminderComesAfterTwoHours() throws Exception {
        Message reminder = new Message("reminders", "drink tea".getBytes(StandardCharsets.UTF_8));
        reminder.setDelayTimeLevel(TWO_HOURS_LEVEL);
        producer.send(reminder);

        CompletableFuture<String> received = new CompletableFuture<>();
        consumer.subscribe("reminders", "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            received.complete(new String(messages.get(0).getBody(), StandardCharsets.UTF_8));
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();

        assertEquals(1, rocketmq.run("waiting", Map.of()).getJSONArray("delayed").size());
        rocketmq.run("advance", Map.of("seconds", 2 * 3600));
        assertEquals("drink tea", received.get(2, TimeUnit.MINUTES));
    }
}
