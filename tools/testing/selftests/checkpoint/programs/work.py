#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""work.py JOBS: three children hash blocks, eight threads feed and drain them.

Each child reads jobs, a page each, from one pipe, and writes answers to another.
Three threads write jobs, three read answers, two do some of the jobs themselves.
The output is the same whatever order things happen in; the file "progress" gets
a byte for each job.
"""
import fcntl
import hashlib
import os
import struct
import sys
import threading

CHILDREN = 3
SHARES = 2 * CHILDREN + 2  # two for each child, one for each of two threads
BLOCK = 4096
ROUNDS = 100


def block(number):
    return struct.pack("<Q", number) * (BLOCK // 8)


def work(job):
    digest = hashlib.sha256(job).digest()
    for _ in range(ROUNDS):
        digest = hashlib.sha256(digest + job).digest()
    return digest


def child(jobs, answers):
    while True:
        job = os.read(jobs, BLOCK)
        if not job:
            os._exit(0)
        os.write(answers, job[:8] + work(job))


def start_child(pipes):
    jobs, answers = os.pipe(), os.pipe()
    fcntl.fcntl(jobs[1], fcntl.F_SETPIPE_SZ, BLOCK)  # one job waits, the next must wait
    pid = os.fork()
    if not pid:
        for fd in [jobs[1], answers[0]] + [fd for pipe in pipes for fd in pipe[:2]]:
            os.close(fd)
        child(jobs[0], answers[1])
    os.close(jobs[0])
    os.close(answers[1])
    return jobs[1], answers[0], pid


def main():
    count = int(sys.argv[1])
    results, lock = {}, threading.Lock()
    pipes = []
    for _ in range(CHILDREN):
        pipes.append(start_child(pipes))
    progress = open("progress", "wb", buffering=0)

    def done(number, digest):
        with lock:
            results[number] = digest
            progress.write(b".")

    def feed(index):
        for number in range(count):
            if number % SHARES // 2 == index:
                os.write(pipes[index][0], block(number))
        os.close(pipes[index][0])

    def drain(index):
        while True:
            answer = os.read(pipes[index][1], 40)
            if not answer:
                return
            done(struct.unpack("<Q", answer[:8])[0], answer[8:])

    def compute(share):
        for number in range(share, count, SHARES):
            done(number, work(block(number)))

    threads = [threading.Thread(target=feed, args=(i,)) for i in range(CHILDREN)]
    threads += [threading.Thread(target=drain, args=(i,)) for i in range(CHILDREN)]
    threads += [threading.Thread(target=compute, args=(SHARES - i,)) for i in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _, _, pid in pipes:
        if os.waitpid(pid, 0)[1]:
            sys.exit("a child failed")
    if len(results) != count:
        sys.exit(f"{count - len(results)} answers are missing")
    for number in sorted(results):
        print(number, results[number].hex())


main()
