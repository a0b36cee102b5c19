import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.common.BrokerConfig;
import org.apache.rocketmq.common.TopicFilterType;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageExtBrokerInner;
import org.apache.rocketmq.store.ConsumeQueue;
import org.apache.rocketmq.store.ConsumeQueueExt;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.PutMessageResult;
import org.apache.rocketmq.store.config.MessageStoreConfig;
import org.apache.rocketmq.store.queue.CqUnit;
import org.apache.rocketmq.store.stats.BrokerStatsManager;

/** What differs between the stores of 4.9 and 5.x: here 5.x. */
class Adapter {
    static DefaultMessageStore open(MessageStoreConfig config) throws Exception {
        return new DefaultMessageStore(config, new BrokerStatsManager("interop", true),
            (topic, queueId, offset, tagsCode, storeTime, bitMap, properties) -> { }, new BrokerConfig(), new ConcurrentHashMap<>());
    }

    static MessageExt message(String properties) {
        MessageExtBrokerInner message = new MessageExtBrokerInner();
        message.setPropertiesString(properties);
        String tags = MessageDecoder.string2messageProperties(properties).get(MessageConst.PROPERTY_TAGS);
        message.setTagsCode(MessageExtBrokerInner.tagsString2tagsCode(TopicFilterType.SINGLE_TAG, tags));
        return message;
    }

    static PutMessageResult put(DefaultMessageStore store, MessageExt message) {
        return store.putMessage((MessageExtBrokerInner) message);
    }

    static Map<String, TreeSet<Integer>> queues(DefaultMessageStore store) {
        Map<String, TreeSet<Integer>> queues = new TreeMap<>();
        store.getConsumeQueueTable().forEach((topic, table) -> queues.put(topic, new TreeSet<>(table.keySet())));
        return queues;
    }

    /** What the store does by itself every ten seconds: queues and index follow the beginning of the log. */
    static void cleanQueues(DefaultMessageStore store) throws Exception {
        Object owner = store.getQueueStore();
        Field field = owner.getClass().getDeclaredField("cleanConsumeQueueService");
        field.setAccessible(true);
        Method run = field.get(owner).getClass().getDeclaredMethod("run");
        run.setAccessible(true);
        run.invoke(field.get(owner));
    }

    static long maxOffset(DefaultMessageStore store, String topic, int queueId) {
        return store.findConsumeQueue(topic, queueId).getMaxOffsetInQueue();
    }

    static ConsumeQueueExt.CqExtUnit ext(DefaultMessageStore store, String topic, int queueId, long address) {
        return ((ConsumeQueue) store.findConsumeQueue(topic, queueId)).getExt(address);
    }

    static long[] unit(DefaultMessageStore store, String topic, int queueId, long index) {
        CqUnit found = store.findConsumeQueue(topic, queueId).get(index);
        long[] unit = {found.getPos(), found.getSize(), found.getTagsCode()};
        return unit;
    }
}
