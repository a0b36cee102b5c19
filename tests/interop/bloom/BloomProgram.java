import java.util.Arrays;
import org.apache.rocketmq.filter.util.BitsArray;
import org.apache.rocketmq.filter.util.BloomFilter;

/**
 * Prints what the real BloomFilter of Apache RocketMQ reckons, one fact a line:
 * "size f n k m" for many error rates and numbers of groups; "positions f n TEXT p p ..." and "bits f n HEX" with the positions of
 * each argument and the bit map into which all of them were hashed.
 */
public class BloomProgram {
    private static final int[] NUMBERS = {1, 2, 7, 32, 64, 1000};

    public static void main(String[] texts) {
        for (int f = 1; f < 100; f++) {
            for (int n : NUMBERS) {
                BloomFilter filter = BloomFilter.createByFn(f, n);
                System.out.printf("size %d %d %d %d%n", f, n, filter.getK(), filter.getM());
            }
        }
        for (int[] fn : new int[][] {{20, 32}, {5, 64}}) {
            BloomFilter filter = BloomFilter.createByFn(fn[0], fn[1]);
            BitsArray bits = BitsArray.create(filter.getM());
            for (String text : texts) {
                int[] positions = filter.calcBitPositions(text);
                filter.hashTo(positions, bits);
                System.out.printf("positions\t%d\t%d\t%s\t%s%n", fn[0], fn[1], text,
                    Arrays.toString(positions).replaceAll("[\\[\\],]", ""));
            }
            StringBuilder hex = new StringBuilder();
            for (byte octet : bits.bytes()) {
                hex.append(String.format("%02x", octet));
            }
            System.out.printf("bits %d %d %s%n", fn[0], fn[1], hex);
        }
    }
}
