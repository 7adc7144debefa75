using System.Text.Json;
using Vivarium.Configuration;
using Vivarium.Host.Naming;
using Vivarium.Host.Sandboxes;
using Vivarium.Host.Snapshots;
using Vivarium.Host.Tests.Support;
using Vivarium.TestKit;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Host.Tests.Naming;

/// <summary>Names, references, requests and records, damaged: refused with an error of ours, and what is accepted is safe where it is used.</summary>
public sealed class NameFuzzTests
{
    [Fact]
    public void Names_that_are_accepted_are_plain() => Fuzz.Text(
        ["quiet-fox", "a", "turn-0001", "before.upgrade_2", "now", "0123456789abcdefghij"],
        static text =>
        {
            if (Accepted(() => NameRules.CheckName(text)))
            {
                Assert.Matches("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", text);
                Assert.False(SandboxId.TryParse(text, out _));
            }

            if (Accepted(() => SnapshotNames.Check(text)))
            {
                Assert.Matches("^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", text);
                Assert.False(SnapshotId.TryParse(text, out _) || int.TryParse(text, out _));
            }

            if (Accepted(() => NameRules.CheckExternalId(text)))
            {
                Assert.DoesNotContain('/', text);
                Assert.DoesNotContain("..", text, StringComparison.Ordinal);
            }

            if (SandboxId.TryParse(text, out var id))
            {
                Assert.Equal(text, id.Value);
                Assert.Matches("^[a-z0-9]{20}$", text);
            }

            Accepted(() => SnapshotNames.CheckTexts(text, text));
        },
        static e => e is VivariumException);

    [Fact]
    public void References_find_something_nothing_or_say_why()
    {
        var catalog = new SandboxCatalog();
        var snapshots = new SnapshotCatalog(catalog);
        Fuzz.Text(
            ["quiet-fox@before", "quiet-fox@turn-0001", "0123456789abcdefghij", "@", "a@", "@b", "abcd"],
            text =>
            {
                Assert.Null(catalog.Find(text));
                Assert.Null(snapshots.TryResolve(text));
            },
            static e => e is VivariumException);
    }

    [Fact]
    public void Requests()
    {
        var config = new VivariumConfig();
        var sample = JsonSerializer.Serialize(
            new CreateParams { Name = "box", Cpus = 1.5, MemoryBytes = 1 << 28, Pids = 64, TimeoutMs = 1000, Env = new Dictionary<string, string> { ["A"] = "b" }, Labels = new Dictionary<string, string> { ["k"] = "v" } },
            HostJson.Default.CreateParams);
        var accepted = 0;
        Fuzz.Text(
            [sample, "{\"shares\":[{\"host_path\":\"/srv/x\",\"guest_path\":\"/x\",\"read_only\":true}],\"hostname\":\"h\",\"workdir\":\"/w\",\"user\":\"1000\"}"],
            text =>
            {
                if (JsonSerializer.Deserialize(text, HostJson.Default.CreateParams) is { } parameters)
                {
                    CreateRequest.Check(parameters, config, TimeProvider.System);
                    accepted++;
                }
            },
            static e => e is VivariumException or JsonException);
        Assert.True(accepted > 0, "some damage must leave a request");
    }

    [Fact]
    public void Records_and_last_words_on_disk()
    {
        var record = JsonSerializer.Serialize(Records.Make("box"), StateJson.Default.SandboxRecord);
        Fuzz.Text([record], static text => JsonSerializer.Deserialize(text, StateJson.Default.SandboxRecord), static e => e is JsonException or NotSupportedException);
        Fuzz.Text(
            ["{\"phase\":\"failed\",\"reason\":\"oom\",\"message\":\"m\",\"unix_ms\":1}"], static text => JsonSerializer.Deserialize(text, SupervisorJson.Default.ExitRecord), static e => e is JsonException);
    }

    private static bool Accepted(Action check)
    {
        try
        {
            check();
            return true;
        }
        catch (VivariumException)
        {
            return false;
        }
    }
}
