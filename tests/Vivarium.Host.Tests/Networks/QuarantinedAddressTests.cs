using System.Globalization;
using Microsoft.Data.Sqlite;
using Vivarium.Host.Tests.Support;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Networks;

/// <summary>A sandbox with a network whose record is damaged goes on running: its address is nobody else's.</summary>
[Collection(DaemonTests.Name)]
public sealed class QuarantinedAddressTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_sandbox_set_aside_keeps_its_address_until_it_is_removed()
    {
        var number = Environment.ProcessId;
        var word = "q" + (number % 65536).ToString("x4", CultureInfo.InvariantCulture);
        await using var daemon = await TestDaemon.StartAsync(
            $"VIVARIUM_NETWORK_BRIDGE={word}", $"VIVARIUM_NETWORK_TABLE={word}", $"VIVARIUM_NETWORK_POOL4=10.{100 + (number / 256 % 20)}.{number % 256}.0/29", "VIVARIUM_NETWORK_POOL6=");
        await using var client = await daemon.ConnectAsync();
        var bad = await client.CreateAsync(new CreateParams { Name = "bad", Network = "nat" }, None);
        await daemon.StopAsync();
        using (var connection = new SqliteConnection($"Data Source={Path.Combine(daemon.State, "vivarium.db")};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "UPDATE sandbox SET body = '{\"broken\":' WHERE name = 'bad'";
            Assert.Equal(1, command.ExecuteNonQuery());
        }

        await daemon.StartAgainAsync();
        await using var again = await daemon.ConnectAsync();
        Assert.Empty((await again.ListAsync(new ListParams(), None)).Sandboxes);
        var other = await again.CreateAsync(new CreateParams { Name = "other", Network = "nat" }, None);
        Assert.NotEqual(bad.Addresses![0], other.Addresses![0]);

        // Five addresses there are: those between come first, then the one that is free again.
        await again.DestroyAsync(new DestroyParams { Ref = bad.Id, Force = true }, None);
        var later = new List<string>();
        for (var i = 0; i < 4; i++)
        {
            later.Add((await again.CreateAsync(new CreateParams { Name = $"n{i}", Network = "nat" }, None)).Addresses![0]);
        }

        Assert.Contains(bad.Addresses[0], later);
        await daemon.DestroyAllAsync();
        await daemon.StopAsync();
        await daemon.StartAgainAsync();
    }
}
