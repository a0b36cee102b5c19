import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.MQVersion;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;

/**
 * The Java side of `pymq-bench clients`; pymq/bench/clientside.py is ours and says what is printed.
 *
 * Up to SYNC_MAX sends in flight are made by so many threads that wait, more by the asynchronous send.
 */
final class ClientBenchmark {
    private static final int SYNC_MAX = 64;

    private ClientBenchmark() {}

    public static void main(String[] argv) throws Exception {
        String namesrv = argv[0], group = argv[1];
        System.out.println("client java-" + MQVersion.getVersionDesc(MQVersion.CURRENT_VERSION).substring(1).replace('_', '.'));
        for (int i = 2; i < argv.length; i++) {
            String[] words = argv[i].split(":");
            String topic = words[1];
            int inFlight = Integer.parseInt(words[2]), bytes = Integer.parseInt(words[3]), count = Integer.parseInt(words[4]);
            double seconds = words[0].equals("send") ? send(namesrv, group, topic, inFlight, bytes, count)
                : consume(namesrv, group + i, topic, count);
            System.out.println("measured " + argv[i] + " " + seconds);
        }
        System.exit(0);
    }

    private static double send(String namesrv, String group, String topic, int inFlight, int bytes, int count) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer(group);
        producer.setNamesrvAddr(namesrv);
        producer.setSendMsgTimeout(30000);
        producer.start();
        some(producer, topic, inFlight, bytes, Math.max(count / 5, 1));
        double seconds = some(producer, topic, inFlight, bytes, count);
        producer.shutdown();
        return seconds;
    }

    private static double some(DefaultMQProducer producer, String topic, int inFlight, int bytes, int count) throws Exception {
        long begun = System.nanoTime();
        if (inFlight > SYNC_MAX) callingBack(producer, topic, inFlight, bytes, count);
        else inThreads(producer, topic, inFlight, bytes, count);
        return (System.nanoTime() - begun) / 1e9;
    }

    private static void inThreads(DefaultMQProducer producer, String topic, int threads, int bytes, int count) throws Exception {
        AtomicInteger left = new AtomicInteger(count);
        Thread[] senders = new Thread[threads];
        for (int i = 0; i < threads; i++) {
            senders[i] = new Thread(() -> {
                try {
                    while (left.getAndDecrement() > 0) producer.send(new Message(topic, new byte[bytes]));
                } catch (Exception e) {
                    failed(e);
                }
            });
            senders[i].start();
        }
        for (Thread sender : senders) sender.join();
    }

    private static void callingBack(DefaultMQProducer producer, String topic, int inFlight, int bytes, int count) throws Exception {
        Semaphore slots = new Semaphore(inFlight);
        for (int i = 0; i < count; i++) {
            slots.acquire();
            producer.send(new Message(topic, new byte[bytes]), new SendCallback() {
                @Override public void onSuccess(SendResult result) { slots.release(); }

                @Override public void onException(Throwable e) { failed(e); }
            });
        }
        slots.acquire(inFlight);
    }

    private static double consume(String namesrv, String group, String topic, int count) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        consumer.setNamesrvAddr(namesrv);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        AtomicInteger received = new AtomicInteger();
        AtomicLong begun = new AtomicLong(), ended = new AtomicLong();
        CountDownLatch all = new CountDownLatch(1);
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            begun.compareAndSet(0, System.nanoTime());
            if (received.addAndGet(messages.size()) >= count && ended.compareAndSet(0, System.nanoTime())) all.countDown();
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        all.await();
        consumer.shutdown();
        return (ended.get() - begun.get()) / 1e9;
    }

    private static void failed(Throwable e) {
        e.printStackTrace();
        System.exit(1);
    }
}
