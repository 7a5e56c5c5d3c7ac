#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0
#
# timers.pl CHILDREN TICKS: each child is woken by a POSIX timer of its own,
# the first by one that counts its CPU time, and tells of each tick through a
# pipe. What the parent prints is the same whatever order they come in; the
# file "progress" gets a byte for each.
use strict;
use warnings;
use POSIX ();

# perl has no functions for these; the numbers are those of x86-64
use constant { TIMER_CREATE => 222, TIMER_SETTIME => 223 };
use constant { CLOCK_MONOTONIC => 1, CLOCK_PROCESS_CPUTIME_ID => 2, SIGEV_SIGNAL => 0 };

my ($children, $ticks) = @ARGV;
my $expired = 0;

sub start_timer {
	my ($clock, $period) = @_;
	my $id = pack('i', -1);
	# struct sigevent, struct itimerspec
	my $event = pack('q i i x48', 0, POSIX::SIGALRM, SIGEV_SIGNAL);
	my $times = pack('q4', 0, $period, 0, $period);

	syscall(TIMER_CREATE, $clock, $event, $id) == 0 or die "timer_create: $!";
	syscall(TIMER_SETTIME, unpack('i', $id), 0, $times, 0) == 0 or die "timer_settime: $!";
}

sub child {
	my ($number, $pipe) = @_;
	my $by_cpu = $number == 0;
	my $set = POSIX::SigSet->new(POSIX::SIGALRM);
	my $sum = $number;

	# those that sleep take the signal only while they do
	POSIX::sigprocmask(POSIX::SIG_BLOCK, $set) unless $by_cpu;
	POSIX::sigaction(POSIX::SIGALRM, POSIX::SigAction->new(sub { $expired++ }));
	start_timer($by_cpu ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, 25_000_000);
	for my $tick (1 .. $ticks) {
		my $before = $expired;
		while ($expired == $before) {
			$by_cpu ? $sum : POSIX::sigsuspend(POSIX::SigSet->new);
		}
		$sum = ($sum * 69069 + $tick) % 4294967296;
		syswrite($pipe, sprintf("%3d %5d %10d\n", $number, $tick, $sum)) == 21
			or die "write: $!";
	}
	POSIX::_exit(0);
}

pipe(my $from, my $to) or die "pipe: $!";
for my $number (0 .. $children - 1) {
	my $pid = fork() // die "fork: $!";
	next if $pid;
	close($from);
	child($number, $to);
}
close($to);
open(my $progress, '>', 'progress') or die "progress: $!";
my @lines;
while (my $line = <$from>) {
	push @lines, $line;
	syswrite($progress, '.');
}
print sort @lines;
while (wait() > 0) {
	die "a child failed" if $?;
}
