import java.nio.charset.StandardCharsets;
import java.util.Map;

import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/*
 * KafkaProduce BOOTSTRAP TOPIC CODEC BATCHES RECORDS [START STEP [ID]]: produces
 * into partition 0, without idempotence unless ID is given, so many batches of so
 * many records each. Times are now, or START and STEP (which may be below 0) more
 * with each record.
 */
public class KafkaProduce {
	public static void main(String[] args) {
		int batches = Integer.parseInt(args[3]), records = Integer.parseInt(args[4]);
		long start = args.length > 5 ? Long.parseLong(args[5]) : System.currentTimeMillis();
		long step = args.length > 6 ? Long.parseLong(args[6]) : 1;

		try (var p = new KafkaProducer<>(Map.of("bootstrap.servers", args[0], "compression.type", args[2],
				"enable.idempotence", args.length > 7, "linger.ms", 600000, "delivery.timeout.ms", 700000,
				"batch.size", 1000000), new ByteArraySerializer(), new ByteArraySerializer())) {
			for (int i = 0; i < batches * records; i++) {
				p.send(new ProducerRecord<>(args[1], 0, start + i * step, null,
					("record " + i + " of " + "text that repeats ".repeat(5)).getBytes(StandardCharsets.UTF_8)));
				if (i % records == records - 1)
					p.flush();
			}
		}
	}
}
