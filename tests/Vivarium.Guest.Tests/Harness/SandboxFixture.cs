using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Tests.Harness;

/// <summary>An agent on one of the engines, for the tests every engine must pass.</summary>
public sealed class SandboxFixture : IAsyncDisposable
{
    private OciSandbox? _oci;

    private SandboxFixture()
    {
    }

    internal GuestInstance Guest { get; private set; } = null!;

    /// <summary>Whether it is a machine of its own with the tiny root.</summary>
    internal bool IsIsolated => _oci is not null;

    internal static async Task<SandboxFixture> StartAsync(string engine, ConfigurePayload? configure = null)
    {
        var fixture = new SandboxFixture();
        if (engine == "direct")
        {
            fixture.Guest = await GuestInstance.StartDirectAsync(configure: configure);
        }
        else
        {
            Assert.SkipUnless(OciSandbox.IsInstalled(engine), $"{engine} is not installed");
            fixture._oci = await OciSandbox.StartAsync(engine, configure: configure);
            fixture.Guest = fixture._oci.Guest;
        }

        return fixture;
    }

    public async ValueTask DisposeAsync()
    {
        if (_oci is not null)
        {
            await _oci.DisposeAsync();
        }
        else
        {
            await Guest.DisposeAsync();
        }
    }
}
