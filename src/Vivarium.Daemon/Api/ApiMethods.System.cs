using Vivarium.Transport.JsonRpc;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Daemon.Api;

internal sealed partial class ApiMethods
{
    private void AddSystem(JsonRpcDispatcher dispatcher) => dispatcher
        .Method(HostMethod.Version, HostJson.Default.Empty, HostJson.Default.VersionReply, (_, _, _) => new(new VersionReply
        {
            Version = ProgramVersion.Text,
            Api = VersionReply.CurrentApi,
            Pid = Environment.ProcessId,
        }))
        .Method(HostMethod.Info, HostJson.Default.Empty, HostJson.Default.SystemInfo, async (_, _, token) => (await host.Reports.InfoAsync(ProgramVersion.Text, token).ConfigureAwait(false)) with { Http = http() })
        .Method(HostMethod.Health, HostJson.Default.Empty, HostJson.Default.HealthReply, async (_, _, token) => await host.Reports.HealthAsync(token).ConfigureAwait(false))
        .Method(HostMethod.Doctor, HostJson.Default.Empty, HostJson.Default.DoctorReply, async (_, _, token) => await host.Doctor.RunAsync(token).ConfigureAwait(false))
        .Method(HostMethod.Config, HostJson.Default.Empty, HostJson.Default.ConfigReply, (_, _, _) => new(host.Reports.Config()))
        .Method(HostMethod.Pool, HostJson.Default.Empty, HostJson.Default.PoolInfo, async (_, _, token) => await host.Pool.ShowAsync(token).ConfigureAwait(false))
        .Method(HostMethod.PoolGrow, HostJson.Default.PoolGrowParams, HostJson.Default.PoolInfo, async (p, _, token) => await host.Pool.GrowAsync(p.TotalBytes, token).ConfigureAwait(false))
        .Method(HostMethod.PoolCheck, HostJson.Default.Empty, HostJson.Default.PoolCheckReply, async (_, _, token) => await host.Pool.CheckAsync(token).ConfigureAwait(false))
        .Method(HostMethod.Shutdown, HostJson.Default.ShutdownParams, HostJson.Default.Empty, async (p, _, token) =>
        {
            if (p.Unmount == true)
            {
                await host.UnmountPoolAsync(token).ConfigureAwait(false);
            }

            LogShutdown();
            shutdown();
            return new Empty();
        });

    [LoggerMessage(EventId = 2001, Level = LogLevel.Information, Message = "a client asked the daemon to stop")]
    private partial void LogShutdown();
}
