using System.Runtime.InteropServices;
using Vivarium.Guest.Io;
using Vivarium.Guest.Processes;
using Vivarium.Linux;
using Vivarium.Linux.Processes;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Exec;

/// <summary>
/// The descriptors between the agent and a new process: two or three pipes, or a terminal. The process's ends are closed here when it has them (or never will);
/// ours become pumps and an input queue.
/// </summary>
internal sealed class StandardChannels : IDisposable
{
    private readonly List<int> _theirs = [];
    private readonly List<(int Fd, byte Channel)> _outputs = [];
    private int _input = -1;
    private int _terminal = -1;

    private StandardChannels()
    {
    }

    /// <summary>What the process gets as its 0, 1 and 2.</summary>
    public IReadOnlyList<FdMapping> Mappings { get; private set; } = [];

    /// <summary>Opens what a request needs.</summary>
    public static StandardChannels Open(ExecRequest request)
    {
        var channels = new StandardChannels();
        try
        {
            if (request.Tty is { } size)
            {
                channels.OpenTerminal(size);
            }
            else
            {
                channels.OpenPipes(request.Stdin);
            }

            return channels;
        }
        catch
        {
            channels.Dispose();
            throw;
        }
    }

    /// <summary>Gives our ends to the process's record, which closes them from now on.</summary>
    public ProcessStart Hand(ProcessStart start, int pid)
    {
        CloseTheirs();
        var log = start.Output;
        if (_terminal >= 0)
        {
            var master = new PolledFd(_terminal);
            _terminal = -1;
            var keys = KernelQuirks.IsGvisor ? new GvisorTerminal(master, pid) : null;
            return start with
            {
                Terminal = master,
                GvisorTerminal = keys,
                Input = new StdinQueue(master, terminal: true, keys),
                Pumps = [new OutputPump(master, ExecChannel.Pty, log, terminal: true)],
            };
        }

        StdinQueue? input = null;
        if (_input >= 0)
        {
            input = new StdinQueue(new PolledFd(_input), terminal: false);
            _input = -1;
        }

        var pumps = new List<OutputPump>();
        foreach (var (fd, channel) in _outputs)
        {
            pumps.Add(new OutputPump(new PolledFd(fd), channel, log, terminal: false));
        }

        _outputs.Clear();
        return start with { Input = input, Pumps = pumps };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        CloseTheirs();
        foreach (var (fd, _) in _outputs)
        {
            _ = Libc.Close(fd);
        }

        _outputs.Clear();
        CloseOne(ref _input);
        CloseOne(ref _terminal);
    }

    private static void CloseOne(ref int fd)
    {
        if (fd >= 0)
        {
            _ = Libc.Close(fd);
            fd = -1;
        }
    }

    private void OpenTerminal(TtySize size)
    {
        var (master, slave) = TerminalPair.Open();
        _terminal = master;
        _theirs.Add(slave);
        TerminalSize.Set(master, size.Cols, size.Rows);
        Mappings = [new FdMapping(slave, 0), new FdMapping(slave, 1), new FdMapping(slave, 2)];
    }

    private void OpenPipes(bool input)
    {
        var mappings = new List<FdMapping>(3);
        if (input)
        {
            var (read, write) = NewPipe();
            _theirs.Add(read);
            _input = write;
            mappings.Add(new FdMapping(read, 0));
        }

        foreach (var channel in (ReadOnlySpan<byte>)[ExecChannel.Stdout, ExecChannel.Stderr])
        {
            var (read, write) = NewPipe();
            _theirs.Add(write);
            _outputs.Add((read, channel));
            mappings.Add(new FdMapping(write, channel));
        }

        Mappings = mappings;
    }

    private void CloseTheirs()
    {
        foreach (var fd in _theirs)
        {
            _ = Libc.Close(fd);
        }

        _theirs.Clear();
    }

    private static unsafe (int Read, int Write) NewPipe()
    {
        var fds = stackalloc int[2];

        // SAFETY: pipe2 writes two ints to the array of two.
        return Libc.Pipe2(fds, Libc.O_CLOEXEC) == 0
            ? (fds[0], fds[1])
            : throw new LinuxException("create a pipe", null, Marshal.GetLastPInvokeError());
    }
}
