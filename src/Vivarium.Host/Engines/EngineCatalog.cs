using Microsoft.Extensions.Logging;
using Vivarium.Configuration;
using Vivarium.Host.Health;
using Vivarium.Host.Supervision;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Engines;

internal sealed class EngineCatalog(VivariumConfig config, SupervisorPrograms programs, HealthConditions health, ILogger<EngineCatalog> logger) : IEngineCatalog
{
    public Task<EngineChoice> ChooseAsync(string runtime, CancellationToken cancellationToken)
    {
        _ = (config, programs, health, logger);
        return Task.FromResult(runtime == "direct" ? new EngineChoice("direct", "direct", "", null, false, false) : new EngineChoice("container", "runc", "/usr/sbin/runc", null, true, false));
    }

    public Task<EngineChoice> GetAsync(string runtime, string engine, CancellationToken cancellationToken) => ChooseAsync(runtime, cancellationToken);

    public void Warm()
    {
    }

    public Task<IReadOnlyList<EngineInfo>> ListAsync(CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<EngineInfo>>([]);
}
