using System.Text.Json;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Errors;

namespace Vivarium.Cli.Install;

/// <summary>Shows a plan, asks, and runs it.</summary>
internal static class PlanRun
{
    /// <summary>Returns the exit code: 0 done or nothing to do, 1 not wanted.</summary>
    public static int Run(Invocation call, string what, IReadOnlyList<InstallStep> plan, bool dryRun, bool yes)
    {
        InstallStep[] steps = [.. plan.Where(step => !step.IsDone())];
        if (!call.Json)
        {
            Show(call, what, steps);
        }

        if (dryRun || steps.Length == 0)
        {
            return Report(call, steps, done: false);
        }

        if (!yes && !Agreed(call))
        {
            return 1;
        }

        foreach (var step in steps)
        {
            try
            {
                step.Do();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new VivariumException(ErrorCode.FailedPrecondition, $"{step.Action} {step.Target}: {e.Message}", "What was done before stays; correct the cause and call this again.", "install_step_failed");
            }
        }

        if (!call.Json)
        {
            call.Messages.Line("done").Flush();
        }

        return Report(call, steps, done: true);
    }

    private static void Show(Invocation call, string what, InstallStep[] steps)
    {
        var output = call.Output;
        output.Line(steps.Length == 0 ? $"{what}: nothing to do" : $"{what}: {steps.Length} step{(steps.Length == 1 ? "" : "s")}");
        foreach (var step in steps)
        {
            output.Line($"  {step.Action,-7} {Style.Safe(step.Target)}").Line(Style.Paint(output.Color, Style.Faint, $"          {step.Why}"));
        }

        output.Flush();
    }

    private static bool Agreed(Invocation call)
    {
        if (!Fd.IsTerminal(call.Stdio.Input))
        {
            throw Invocation.Usage("this changes the machine, and there is nobody to ask", "say --yes, or --dry-run to only see it");
        }

        call.Messages.Write("Go on? [y/N] ").Flush();
        var answer = new byte[64];
        var count = Fd.Read(call.Stdio.Input, answer);
        return count > 0 && answer[0] is (byte)'y' or (byte)'Y';
    }

    private static int Report(Invocation call, InstallStep[] steps, bool done)
    {
        if (!call.Json)
        {
            return 0;
        }

        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, JsonOut.WriterOptions))
        {
            writer.WriteStartObject();
            writer.WriteBoolean("done", done);
            writer.WriteStartArray("steps");
            foreach (var step in steps)
            {
                writer.WriteStartObject();
                writer.WriteString("action", step.Action);
                writer.WriteString("target", step.Target);
                writer.WriteString("why", step.Why);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        bytes.WriteByte((byte)'\n');
        call.Output.Raw(bytes.ToArray());
        return 0;
    }
}
