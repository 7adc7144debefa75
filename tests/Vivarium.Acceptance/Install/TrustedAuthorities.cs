using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Install;

/// <summary>Sets <c>[templates] ca_certificates</c> of a private daemon that has its template already: one built with it would be another template.</summary>
internal static class TrustedAuthorities
{
    public static async Task ConfigureAsync(PrivateDaemon daemon, string files)
    {
        var text = files.Length == 0 ? daemon.ConfigText() : daemon.ConfigText().Replace("[templates]", $"[templates]\nca_certificates = \"{files}\"", StringComparison.Ordinal);
        await File.WriteAllTextAsync(daemon.ConfigFile, text, TestContext.Current.CancellationToken);
        await daemon.Viv.RunAsync("daemon", "restart");
    }
}
