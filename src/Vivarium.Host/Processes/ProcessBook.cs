using System.Text.Json;
using System.Text.Json.Serialization;
using Vivarium.Host.Operations;
using Vivarium.Linux.Files;

namespace Vivarium.Host.Processes;

/// <summary>
/// The launched processes of one sandbox: in memory, and in a file so that the next daemon knows them. What has ended goes when there are too many
/// or after a time, with its log.
/// </summary>
internal sealed class ProcessBook
{
    private readonly Lock gate = new();
    private readonly Lock writing = new();
    private readonly Dictionary<string, (LaunchedProcess Process, TaskCompletionSource Ended)> entries = [];
    private readonly string file;
    private readonly string logs;
    private long version;
    private long written;
    private bool closed;

    private ProcessBook(string file, string logs)
    {
        this.file = file;
        this.logs = logs;
    }

    /// <summary>Ports are published and taken back one after the other.</summary>
    public OneAtATime Ports { get; } = new();

    /// <summary>Reads the file, or begins anew; one that cannot be read is put aside.</summary>
    public static ProcessBook Open(string file, string logs)
    {
        var book = new ProcessBook(file, logs);
        try
        {
            foreach (var process in JsonSerializer.Deserialize(File.ReadAllBytes(book.file), ProcessJson.Default.ListLaunchedProcess) ?? [])
            {
                book.entries[process.Id] = (process, Ended(process));
            }
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            // The first one comes.
        }
        catch (JsonException)
        {
            File.Move(book.file, book.file + ".unreadable", overwrite: true);
        }

        return book;
    }

    /// <summary>All of them, the running first, then the latest end first.</summary>
    public IReadOnlyList<LaunchedProcess> All()
    {
        lock (gate)
        {
            return [.. entries.Values.Select(static e => e.Process).OrderBy(static p => p.HasEnded).ThenByDescending(static p => p.EndedUnixMs).ThenBy(static p => p.StartedUnixMs)];
        }
    }

    /// <summary>One by its id.</summary>
    public LaunchedProcess? Find(string id)
    {
        lock (gate)
        {
            return entries.TryGetValue(id, out var entry) ? entry.Process : null;
        }
    }

    /// <summary>Completes when it has ended; at once when it is not known.</summary>
    public Task EndedAsync(string id)
    {
        lock (gate)
        {
            return entries.TryGetValue(id, out var entry) ? entry.Ended.Task : Task.CompletedTask;
        }
    }

    /// <summary>Adds one.</summary>
    public void Add(LaunchedProcess process)
    {
        lock (gate)
        {
            entries.Add(process.Id, (process, Ended(process)));
            version++;
        }

        Save();
    }

    /// <summary>Changes one, unless it is gone or the change finds nothing to do.</summary>
    /// <returns>Whether it was changed.</returns>
    public bool Change(string id, Func<LaunchedProcess, LaunchedProcess?> change)
    {
        lock (gate)
        {
            if (!entries.TryGetValue(id, out var entry) || change(entry.Process) is not { } next || next == entry.Process)
            {
                return false;
            }

            entries[id] = (next, entry.Ended);
            version++;
            if (next.HasEnded)
            {
                entry.Ended.TrySetResult();
            }
        }

        Save();
        return true;
    }

    /// <summary>The sandbox is gone, and its book with it: nothing is written any more.</summary>
    public void Close()
    {
        lock (writing)
        {
            closed = true;
            File.Delete(file);
        }
    }

    /// <summary>Forgets ends that are too old or too many, with their logs; those whose port is still published stay until it is not.</summary>
    public void Prune(int keep, long endedBefore)
    {
        List<LaunchedProcess> doomed;
        lock (gate)
        {
            var ended = entries.Values.Select(static e => e.Process).Where(static p => p.HasEnded && p.Published is null).OrderByDescending(static p => p.EndedUnixMs).ToArray();
            doomed = [.. ended.Where((p, i) => i >= keep || p.EndedUnixMs < endedBefore)];
            if (doomed.Count == 0)
            {
                return;
            }

            doomed.ForEach(p => entries.Remove(p.Id));
            version++;
        }

        Save();
        foreach (var file in doomed.SelectMany(process => (string[])[process.Id + ".log", process.Id + ".log.1", process.Id + ".log.base"]).Select(name => Path.Combine(logs, name)).Where(File.Exists))
        {
            File.Delete(file);
        }
    }

    private static TaskCompletionSource Ended(LaunchedProcess process)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (process.HasEnded)
        {
            ended.TrySetResult();
        }

        return ended;
    }

    private void Save()
    {
        lock (writing)
        {
            List<LaunchedProcess> all;
            lock (gate)
            {
                if (version == written || closed)
                {
                    return;
                }

                written = version;
                all = [.. entries.Values.Select(static e => e.Process)];
            }

            try
            {
                Directory.CreateDirectory(Path.GetDirectoryName(file)!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                AtomicFile.Write(file, JsonSerializer.SerializeToUtf8Bytes(all, ProcessJson.Default.ListLaunchedProcess), durable: false);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or Linux.LinuxException)
            {
                // The disk is full: then the next daemon knows less, and this one as much.
            }
        }
    }
}

/// <summary>JSON of the file. A newer daemon may write more than an older one knows.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(List<LaunchedProcess>))]
internal sealed partial class ProcessJson : JsonSerializerContext;
