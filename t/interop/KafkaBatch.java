import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

import org.apache.kafka.common.utils.Exit;

/*
 * KafkaBatch: many runs of Kafka's command-line tools in one JVM, because a JVM
 * and its class loading cost more than most of the runs.
 *
 * Reads lines from stdin: OUT, main class and arguments, separated by tabs.
 * Each run's stdout goes to the file OUT. When it has ended, one line is
 * printed: its exit status, a tab, OUT. A tool that throws has status 70, and
 * what it threw goes to stderr. Ends at the end of stdin, with status 1 when a
 * run had another status than 0.
 */
public class KafkaBatch {
	/* Thrown where a tool asks to end the JVM. Some tools catch it, print it
	 * and ask again: the first status counts, and no output after it. */
	private static class Exited extends Error {
		Exited() {
			super(null, null, false, false);
		}
	}

	/* Tools may keep System.out from their first run on, so it stays one
	 * object, and what lies behind it changes. */
	private static class Switch extends OutputStream {
		OutputStream to;

		Switch(OutputStream to) {
			this.to = to;
		}

		@Override
		public void write(int b) throws IOException {
			to.write(b);
		}

		@Override
		public void write(byte[] b, int off, int len) throws IOException {
			to.write(b, off, len);
		}

		@Override
		public void flush() throws IOException {
			to.flush();
		}
	}

	private static final Switch OUT = new Switch(OutputStream.nullOutputStream());
	private static final Switch ERR = new Switch(System.err);
	private static final List<Thread> HOOKS = new ArrayList<>();
	private static Integer exitStatus;

	/* Some tools close, and say what they did, as their JVM ends. */
	private static void endHooks() {
		List<Thread> hooks = List.copyOf(HOOKS);

		HOOKS.clear();
		hooks.forEach(Thread::start);
		try {
			for (Thread hook : hooks)
				hook.join(10000);
		} catch (InterruptedException e) {
			Thread.currentThread().interrupt();
		}
	}

	private static void exit(int status, String message) {
		if (exitStatus == null) {
			endHooks();
			System.out.flush();
			exitStatus = status;
			OUT.to = ERR.to = OutputStream.nullOutputStream();
		}
		throw new Exited();
	}

	private static int run(String mainClass, String[] args) {
		exitStatus = null;
		try {
			Class.forName(mainClass).getMethod("main", String[].class).invoke(null, (Object) args);
			return exitStatus == null ? 0 : exitStatus;
		} catch (InvocationTargetException e) {
			if (exitStatus != null)
				return exitStatus;
			e.getCause().printStackTrace();
		} catch (ReflectiveOperationException e) {
			e.printStackTrace();
		}
		return 70;
	}

	public static void main(String[] unused) throws IOException {
		PrintStream answers = System.out;
		PrintStream errors = System.err;
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
		String line;
		int worst = 0;

		System.setOut(new PrintStream(OUT, false, StandardCharsets.UTF_8));
		System.setErr(new PrintStream(ERR, true, StandardCharsets.UTF_8));
		Exit.setExitProcedure(KafkaBatch::exit);
		Exit.setHaltProcedure(KafkaBatch::exit);
		Exit.setShutdownHookAdder((name, hook) -> HOOKS.add(new Thread(hook, String.valueOf(name))));
		while ((line = in.readLine()) != null) {
			String[] words = line.split("\t", -1);
			int status;

			try (OutputStream file = new BufferedOutputStream(new FileOutputStream(words[0]))) {
				OUT.to = file;
				ERR.to = errors;
				status = run(words[1], Arrays.copyOfRange(words, 2, words.length));
				endHooks();
				System.out.flush();
			}
			answers.println(status + "\t" + words[0]);
			answers.flush();
			worst = status == 0 ? worst : 1;
		}
		System.exit(worst);
	}
}
