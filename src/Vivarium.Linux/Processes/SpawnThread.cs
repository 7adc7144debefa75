using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace Vivarium.Linux.Processes;

/// <summary>
/// The kernel sends the parent death signal when the <em>thread</em> that made the child ends, and pool threads end. Children that ask for
/// the signal are made here, on one thread that lives as long as the process. Source: PR_SET_PDEATHSIG in prctl(2).
/// </summary>
internal static class SpawnThread
{
    private static readonly Lazy<BlockingCollection<Job>> Queue = new(Start);

    public static int Spawn(SpawnOptions options)
    {
        var job = new Job(options);
        Queue.Value.Add(job);
        job.Done.Wait();
        job.Error?.Throw();
        return job.Pid;
    }

    private static BlockingCollection<Job> Start()
    {
        var queue = new BlockingCollection<Job>();
        new Thread(() => Run(queue), maxStackSize: 256 * 1024) { IsBackground = true, Name = "spawn" }.Start();
        return queue;
    }

    private static void Run(BlockingCollection<Job> queue)
    {
        foreach (var job in queue.GetConsumingEnumerable())
        {
            try
            {
                job.Pid = SpawnRequest.Spawn(job.Options);
            }
            catch (Exception e)
            {
                job.Error = ExceptionDispatchInfo.Capture(e);
            }

            job.Done.Set();
        }
    }

    private sealed class Job(SpawnOptions options)
    {
        public SpawnOptions Options => options;

        public ManualResetEventSlim Done { get; } = new();

        public int Pid { get; set; }

        public ExceptionDispatchInfo? Error { get; set; }
    }
}
