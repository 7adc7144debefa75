// Containers share two cores and the machine's cgroups: one at a time, so that limits, timings and leak checks mean something.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
