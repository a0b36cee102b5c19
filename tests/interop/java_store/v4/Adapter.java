import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.rocketmq.common.BrokerConfig;
import org.apache.rocketmq.common.TopicFilterType;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.store.ConsumeQueue;
import org.apache.rocketmq.store.ConsumeQueueExt;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.MessageExtBrokerInner;
import org.apache.rocketmq.store.PutMessageResult;
import org.apache.rocketmq.store.SelectMappedBufferResult;
import org.apache.rocketmq.store.config.MessageStoreConfig;
import org.apache.rocketmq.store.stats.BrokerStatsManager;

/** What differs between the stores of 4.9 and 5.x: here 4.9. */
class Adapter {
    static DefaultMessageStore open(MessageStoreConfig config) throws Exception {
        return new DefaultMessageStore(config, new BrokerStatsManager("interop", true),
            (topic, queueId, offset, tagsCode, storeTime, bitMap, properties) -> { }, new BrokerConfig());
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
        Object owner = store;
        Field field = owner.getClass().getDeclaredField("cleanConsumeQueueService");
        field.setAccessible(true);
        Method run = field.get(owner).getClass().getDeclaredMethod("run");
        run.setAccessible(true);
        run.invoke(field.get(owner));
    }

    static long maxOffset(DefaultMessageStore store, String topic, int queueId) {
        return store.getMaxOffsetInQueue(topic, queueId);
    }

    static ConsumeQueueExt.CqExtUnit ext(DefaultMessageStore store, String topic, int queueId, long address) {
        return store.findConsumeQueue(topic, queueId).getExt(address);
    }

    static long[] unit(DefaultMessageStore store, String topic, int queueId, long index) {
        ConsumeQueue queue = store.findConsumeQueue(topic, queueId);
        SelectMappedBufferResult result = queue.getIndexBuffer(index);
        long[] unit = {result.getByteBuffer().getLong(), result.getByteBuffer().getInt(), result.getByteBuffer().getLong()};
        result.release();
        return unit;
    }
}
