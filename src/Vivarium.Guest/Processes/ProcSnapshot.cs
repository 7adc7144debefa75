using System.Buffers.Text;

namespace Vivarium.Guest.Processes;

/// <summary>One line of the process table.</summary>
internal readonly record struct ProcEntry(int Pid, int Parent, int Group, int Session, char State);

/// <summary>The processes of this PID namespace as /proc shows them now. Source: proc(5), /proc/PID/stat.</summary>
internal static class ProcSnapshot
{
    private const int StatBytes = 1024;

    /// <summary>Reads all; those that end meanwhile are left out.</summary>
    public static List<ProcEntry> Read()
    {
        var entries = new List<ProcEntry>();
        Span<byte> buffer = stackalloc byte[StatBytes];
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(directory.AsSpan("/proc/".Length), out var pid) && TryRead(pid, buffer, out var entry))
            {
                entries.Add(entry);
            }
        }

        return entries;
    }

    private static bool TryRead(int pid, Span<byte> buffer, out ProcEntry entry)
    {
        entry = default;
        int count;
        try
        {
            using var file = File.OpenHandle($"/proc/{pid}/stat");
            count = RandomAccess.Read(file, buffer, 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }

        // pid (comm) state ppid pgrp session …; comm may hold anything, also parentheses, so the last one counts.
        var text = buffer[..count];
        var end = text.LastIndexOf((byte)')');
        if (end < 0 || end + 4 > text.Length)
        {
            return false;
        }

        var state = (char)text[end + 2];
        var rest = text[(end + 4)..];
        return Next(ref rest, out var parent) && Next(ref rest, out var group) && Next(ref rest, out var session)
            && (entry = new ProcEntry(pid, parent, group, session, state)).Pid == pid;
    }

    private static bool Next(ref Span<byte> text, out int value)
    {
        if (!Utf8Parser.TryParse(text, out value, out var used) || used >= text.Length)
        {
            return false;
        }

        text = text[(used + 1)..];
        return true;
    }
}
