using System.Text;

namespace Vivarium.Runtimes.Ledger;

/// <summary>
/// The append-only list of everything one sandbox makes on the host: a line is written before the thing is made, and another when it
/// is gone. After a crash at any point <see cref="Reclaim"/> finds in it what may be left. Lines: <c>+kind value</c> and <c>-kind value</c>.
/// </summary>
/// <remarks>
/// It lives in the runtime directory, which does not outlive the machine, and a line is in the page cache once written: it survives
/// the death of every process, and after a reboot there is nothing left to reclaim. So no fsync.
/// </remarks>
public sealed class SandboxLedger : IDisposable
{
    /// <summary>Its name in the runtime directory of the sandbox.</summary>
    public const string FileName = "ledger";

    private readonly Lock gate = new();
    private readonly FileStream file;
    private readonly List<LedgerEntry> open;

    private SandboxLedger(FileStream file, List<LedgerEntry> open)
    {
        this.file = file;
        this.open = open;
    }

    /// <summary>What is there now, oldest first.</summary>
    public IReadOnlyList<LedgerEntry> Open
    {
        get
        {
            lock (gate)
            {
                return [.. open];
            }
        }
    }

    /// <summary>Opens the ledger of a runtime directory, creating it (mode 0600) when it is missing. A half-written last line is ignored: its thing was never made.</summary>
    public static SandboxLedger OpenIn(string runtimeDirectory)
    {
        var path = Path.Combine(runtimeDirectory, FileName);
        var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.ReadWrite,
            Share = FileShare.ReadWrite,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        try
        {
            var text = new byte[checked((int)file.Length)];
            file.ReadExactly(text);
            var entries = Parse(Encoding.UTF8.GetString(text));
            if (text is [.., not (byte)'\n'])
            {
                file.Write("\n"u8);
            }

            return new SandboxLedger(file, entries);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Records a thing that is about to be made; recording what is recorded already does nothing.</summary>
    public void Add(LedgerEntry entry)
    {
        ArgumentException.ThrowIfNullOrEmpty(entry.Value);
        if (entry.Value.Contains('\n', StringComparison.Ordinal))
        {
            throw new ArgumentException("a ledger value is one line", nameof(entry));
        }

        lock (gate)
        {
            if (!open.Contains(entry))
            {
                Append('+', entry);
                open.Add(entry);
            }
        }
    }

    /// <summary>Records that a thing is gone.</summary>
    public void Remove(LedgerEntry entry)
    {
        lock (gate)
        {
            if (open.Remove(entry))
            {
                Append('-', entry);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();

    internal static List<LedgerEntry> Parse(string text)
    {
        List<LedgerEntry> open = [];
        var end = text.LastIndexOf('\n');
        foreach (var line in text[..(end + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.IndexOf(' ', StringComparison.Ordinal) is var space and > 1 && line[0] is '+' or '-')
            {
                var entry = new LedgerEntry(line[1..space], line[(space + 1)..]);
                open.Remove(entry);
                if (line[0] == '+')
                {
                    open.Add(entry);
                }
            }
        }

        return open;
    }

    private void Append(char sign, LedgerEntry entry) => file.Write(Encoding.UTF8.GetBytes($"{sign}{entry}\n"));
}
