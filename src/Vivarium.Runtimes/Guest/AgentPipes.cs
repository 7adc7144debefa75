using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.IO;
using Vivarium.Linux.Processes;

namespace Vivarium.Runtimes.Guest;

/// <summary>The three pipes of an agent: its standard input and output carry the guest connection, its standard error the console.</summary>
internal sealed class AgentPipes : IDisposable
{
    private const int ConnectionPipeBytes = 1024 * 1024;

    private readonly SafeFileHandle agentInput;
    private readonly SafeFileHandle agentOutput;
    private readonly SafeFileHandle agentErrors;

    public AgentPipes()
    {
        (agentInput, ToAgent) = Pipe.Create();
        (FromAgent, agentOutput) = Pipe.Create();
        (Errors, agentErrors) = Pipe.Create();

        // Big pipes mean few wake-ups; where the kernel gives less, it is only slower.
        Pipe.TrySetSize(ToAgent, ConnectionPipeBytes);
        Pipe.TrySetSize(FromAgent, ConnectionPipeBytes);
    }

    /// <summary>Bytes for the agent.</summary>
    public SafeFileHandle ToAgent { get; }

    /// <summary>Bytes from the agent.</summary>
    public SafeFileHandle FromAgent { get; }

    /// <summary>What the agent (and the engine program) say on standard error.</summary>
    public SafeFileHandle Errors { get; }

    /// <summary>The child's descriptors 0, 1 and 2.</summary>
    public IReadOnlyList<FdMapping> ChildDescriptors =>
        [new(Number(agentInput), 0), new(Number(agentOutput), 1), new(Number(agentErrors), 2)];

    /// <summary>Closes our copies of the child's ends once it runs: else its end would never be seen.</summary>
    public void CloseChildEnds()
    {
        agentInput.Dispose();
        agentOutput.Dispose();
        agentErrors.Dispose();
    }

    /// <summary>Closes everything not taken over by somebody else.</summary>
    public void Dispose()
    {
        CloseChildEnds();
        ToAgent.Dispose();
        FromAgent.Dispose();
        Errors.Dispose();
    }

    private static int Number(SafeFileHandle handle) => (int)handle.DangerousGetHandle();
}
