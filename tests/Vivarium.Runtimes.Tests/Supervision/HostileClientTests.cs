using System.Text;
using Vivarium.Runtimes.Tests.Harness;
using Vivarium.TestKit;
using Vivarium.Transport;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Tests.Supervision;

public sealed class HostileClientTests
{
    private static readonly string[] BadFirstLines =
    [
        "\0\0\0\0\n",
        "{}\n",
        "[]\n",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n",
        "{\"connect\":\"x\"}\n",
        "{\"connect\":-1}\n",
        "{\"connect\":99999999999999}\n",
        "{\"connect\":1,\"ticket\":\"x\"}\n",
        "{\"method\":7}\n",
        "{\"method\":\"fly\"}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fly\"}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stop\",\"params\":{\"deadline_ms\":\"soon\"}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ticket\",\"params\":{\"port\":1025,\"extra\":1}}\n",
        "GET / HTTP/1.1\r\n\r\n",
    ];

    [Fact]
    public async Task A_bad_first_line_is_answered_or_closed_and_changes_nothing()
    {
        // One supervisor for all of them: it must stand the sum as well.
        await using var rig = await SupervisorRig.RunningAsync();
        foreach (var line in BadFirstLines)
        {
            await using var client = await rig.RawAsync();
            await client.WriteAsync(Encoding.UTF8.GetBytes(line));
            await client.CompleteWritesAsync();
            using var answer = new MemoryStream();
            await client.CopyToAsync(answer).WaitAsync(TimeSpan.FromSeconds(5));
            var text = Encoding.UTF8.GetString(answer.ToArray());
            Assert.True(text.Length == 0 || text.Contains("error", StringComparison.Ordinal), $"{line}: {text}");
            Assert.Equal(SupervisorPhase.Running, (await rig.ReachAsync(SupervisorPhase.Running)).Phase);
        }
    }

    [Fact]
    public async Task An_endless_line_takes_bounded_memory()
    {
        await using var rig = await SupervisorRig.RunningAsync();
        await using var client = await rig.RawAsync();
        var chunk = new byte[1024 * 1024];
        chunk.AsSpan().Fill((byte)'x');
        await Record.ExceptionAsync(async () =>
        {
            // It may be cut off, or read and dropped.
            for (var i = 0; i < 128; i++)
            {
                await client.WriteAsync(chunk).AsTask().WaitAsync(TimeSpan.FromSeconds(5));
            }
        });
        Assert.Equal(0, (await rig.ShellAsync("true")).Exit.Code);
        var peak = File.ReadLines($"/proc/{rig.Process.Pid}/status").First(static line => line.StartsWith("VmHWM:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
        Assert.InRange(int.Parse(peak, System.Globalization.CultureInfo.InvariantCulture), 0, 64 * 1024);
    }

    [Fact]
    public async Task A_thousand_silent_and_half_open_connections_do_not_shut_others_out_for_long()
    {
        await using var rig = await SupervisorRig.RunningAsync();
        List<DuplexStream> silent = [];
        try
        {
            for (var i = 0; i < 1000; i++)
            {
                // Some silent, some in the middle of a word, some gone quiet for good.
                silent.Add(await rig.RawAsync());
                if (i % 2 == 0)
                {
                    await Record.ExceptionAsync(() => silent[i].WriteAsync("{\"method\":"u8.ToArray()).AsTask()); // one too many is closed at once
                }

                if (i % 4 == 0)
                {
                    await Record.ExceptionAsync(() => silent[i].CompleteWritesAsync().AsTask());
                }
            }

            Assert.Equal(0, (await rig.ShellAsync("true")).Exit.Code);
        }
        finally
        {
            foreach (var client in silent)
            {
                await client.DisposeAsync();
            }
        }

        await Eventually.True(async () => (await rig.ShellAsync("true")).Exit.Code == 0);
    }

    [Fact]
    public async Task The_one_shot_form_is_answered_once()
    {
        await using var rig = await SupervisorRig.RunningAsync();
        Assert.Contains("\"ok\":true,\"state\":\"running\"", await OneShotAsync(rig, "{\"method\":\"status\"}"), StringComparison.Ordinal);
        Assert.Contains("\"backend\":\"runc\"", await OneShotAsync(rig, "{\"method\":\"info\"}"), StringComparison.Ordinal);
        Assert.Contains("\"ok\":false,\"error\":\"unknown method: x\"", await OneShotAsync(rig, "{\"method\":\"x\"}"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_one_shot_forced_stop_works_after_a_one_shot_stop()
    {
        await using var rig = await SupervisorRig.RunningAsync();
        Assert.Contains("stopping", await OneShotAsync(rig, "{\"method\":\"stop\",\"timeout_seconds\":60}"), StringComparison.Ordinal);
        await Record.ExceptionAsync(() => OneShotAsync(rig, "{\"method\":\"force_stop\"}"));
        await rig.Process.Exited.WaitAsync(TimeSpan.FromSeconds(10));
    }

    private static async Task<string> OneShotAsync(SupervisorRig rig, string request)
    {
        await using var client = await rig.RawAsync();
        await client.WriteAsync(Encoding.UTF8.GetBytes(request + "\n"));
        using var answer = new MemoryStream();
        await client.CopyToAsync(answer).WaitAsync(TimeSpan.FromSeconds(5));
        return Encoding.UTF8.GetString(answer.ToArray());
    }
}
