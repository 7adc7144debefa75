using System.Runtime.InteropServices;
using Vivarium.Guest.Io;
using Vivarium.Linux.Processes;

namespace Vivarium.Guest.Processes;

/// <summary>
/// gVisor's pseudo terminals carry bytes but send no signals: Ctrl-C, Ctrl-\ and Ctrl-Z are passed on as bytes, a new size is not announced, and who is in
/// the foreground is told to nobody outside the session. What the line discipline of a real kernel does with these keys is done here, the foreground
/// being guessed: while a line editor or full-screen program has the terminal (no canonical mode) it is the session leader, else the newest job.
/// Sources: termios(3), ioctl_tty(2).
/// </summary>
internal sealed unsafe class GvisorTerminal(PolledFd master, int session)
{
    private const nuint TCGETS = 0x5401;
    private const uint ISIG = 1;
    private const uint ICANON = 2;

    // Places of the keys in c_cc, and what they send.
    private static readonly (int Place, int Signal)[] Keys = [(0, Signals.SIGINT), (1, Signals.SIGQUIT), (10, Signals.SIGTSTP)];

    /// <summary>Takes the signal keys out of typed input and sends what they mean; returns the rest.</summary>
    public ReadOnlyMemory<byte> TakeSignalKeys(ReadOnlyMemory<byte> typed)
    {
        var settings = default(Termios);
        var known = false;
        master.Use(fd => known = Get(fd, ref settings));
        if (!known || (settings.LocalFlags & ISIG) == 0)
        {
            return typed;
        }

        byte[]? rest = null;
        var kept = 0;
        for (var i = 0; i < typed.Length; i++)
        {
            var key = typed.Span[i];
            var signal = SignalOf(settings, key);
            var taken = signal != 0 && SignalForeground(signal, (settings.LocalFlags & ICANON) != 0);
            if (taken)
            {
                rest ??= typed.ToArray();
            }
            else if (rest is not null)
            {
                rest[kept] = key;
            }

            kept += taken ? 0 : 1;
        }

        return rest is null ? typed : rest.AsMemory(0, kept);
    }

    /// <summary>Tells every group of the session that the size changed; those it does not concern ignore it.</summary>
    public void AnnounceSize()
    {
        foreach (var group in Groups().Select(static entry => entry.Group).Distinct())
        {
            _ = Libc.Kill(-group, Signals.SIGWINCH);
        }
    }

    private bool SignalForeground(int signal, bool canonical)
    {
        var jobs = Groups().Where(entry => entry.Group != session && entry.State != 'T').Select(static entry => entry.Group).ToList();
        if (canonical)
        {
            return Libc.Kill(-(jobs.Count == 0 ? session : jobs.Max()), signal) == 0;
        }

        // At a prompt with jobs in the background, or in a full-screen program: whichever it is sees the key itself.
        return jobs.Count == 0 && Libc.Kill(-session, signal) == 0;
    }

    private IEnumerable<ProcEntry> Groups() => ProcSnapshot.Read().Where(entry => entry.Session == session && entry.State != 'Z' && entry.Group > 1);

    private static bool Get(int fd, ref Termios settings)
    {
        // SAFETY: the kernel fills one struct termios, which is pinned for the call.
        fixed (Termios* address = &settings)
        {
            return Libc.Ioctl(fd, TCGETS, address) == 0;
        }
    }

    private static int SignalOf(in Termios settings, byte key)
    {
        foreach (var (place, signal) in Keys)
        {
            if (key != 0 && settings.ControlCharacters[place] == key)
            {
                return signal;
            }
        }

        return 0;
    }

    /// <summary>The kernel's struct termios: four flag words, a line number, 19 control characters.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Termios
    {
        public uint InputFlags;
        public uint OutputFlags;
        public uint ControlFlags;
        public uint LocalFlags;
        public byte Line;
        public fixed byte ControlCharacters[19];
    }
}
