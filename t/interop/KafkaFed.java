import java.io.FileInputStream;
import java.io.InputStream;
import java.lang.reflect.InvocationTargetException;
import java.util.Arrays;

/*
 * KafkaFed FILE CLASS [ARG...]: a tool that reads its standard input, fed with a
 * file, for KafkaBatch, whose own input is its list of tools.
 */
public class KafkaFed {
	public static void main(String[] args) throws Throwable {
		InputStream before = System.in;

		try (InputStream file = new FileInputStream(args[0])) {
			System.setIn(file);
			Class.forName(args[1]).getMethod("main", String[].class)
			    .invoke(null, (Object) Arrays.copyOfRange(args, 2, args.length));
		} catch (InvocationTargetException e) {
			throw e.getCause();
		} finally {
			System.setIn(before);
		}
	}
}
