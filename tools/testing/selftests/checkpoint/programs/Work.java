// SPDX-License-Identifier: GPL-2.0
import java.io.BufferedReader;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Work THREADS JOBS: each job makes much garbage and a number. The numbers go
 * through a pipe to sort(1), and from there to the output; the file "progress"
 * gets a byte for each job.
 */
public class Work {
	static final OutputStream progress = open("progress");

	static OutputStream open(String name) {
		try {
			return new FileOutputStream(name);
		} catch (java.io.IOException e) {
			throw new RuntimeException(e);
		}
	}

	/** The words of a text that differs from job to job are counted. */
	static long count(int job) throws java.io.IOException {
		TreeMap<String, Integer> words = new TreeMap<>();
		long random = job, sum = 0;

		for (int i = 0; i < 4000; i++) {
			random = random * 6364136223846793005L + 1442695040888963407L;
			words.merge("word" + (random >>> 54), 1, Integer::sum);
		}
		for (var word : words.entrySet())
			sum = sum * 31 + word.getKey().hashCode() * (long)word.getValue();
		synchronized (progress) {
			progress.write('.');
		}
		return sum;
	}

	public static void main(String[] args) throws Exception {
		ExecutorService threads = Executors.newFixedThreadPool(Integer.parseInt(args[0]));
		Process sort = new ProcessBuilder("sort").start();
		int jobs = Integer.parseInt(args[1]);
		Future<?>[] results = new Future<?>[jobs];

		for (int i = 0; i < jobs; i++) {
			int job = i;
			results[i] = threads.submit(() -> count(job));
		}
		try (PrintStream to = new PrintStream(sort.getOutputStream())) {
			for (Future<?> result : results)
				to.println(result.get());
		}
		threads.shutdown();
		try (BufferedReader from = new BufferedReader(new InputStreamReader(sort.getInputStream()))) {
			from.lines().forEach(System.out::println);
		}
		System.exit(sort.waitFor());
	}
}
