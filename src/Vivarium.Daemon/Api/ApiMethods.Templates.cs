using Vivarium.Host.Operations;
using Vivarium.Transport.JsonRpc;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Daemon.Api;

internal sealed partial class ApiMethods
{
    private void AddTemplates(JsonRpcDispatcher dispatcher) => dispatcher
        .Method(HostMethod.TemplateList, HostJson.Default.Empty, HostJson.Default.TemplateList, async (_, _, token) => await host.Services.Templates.ListAsync(token).ConfigureAwait(false))
        .Method(HostMethod.TemplateGet, HostJson.Default.RefParams, HostJson.Default.TemplateInfo, async (p, _, token) => await host.Services.Templates.GetAsync(p.Ref, token).ConfigureAwait(false))
        .Method(HostMethod.TemplateBuild, HostJson.Default.BuildParams, HostJson.Default.TemplateInfo, async (p, call, token) =>
        {
            var operation = BeginBuild(p);
            await WaitAsync(operation, call, token).ConfigureAwait(false);
            return await operation.Result.ConfigureAwait(false);
        })
        .Method(HostMethod.BeginTemplateBuild, HostJson.Default.BuildParams, HostJson.Default.BeginReply, (p, _, _) => new(new BeginReply { OperationId = BeginBuild(p).Id }))
        .Method(HostMethod.TemplateRemove, HostJson.Default.RemoveTemplateParams, HostJson.Default.Empty, async (p, _, token) =>
        {
            await host.Services.Templates.RemoveAsync(p.Ref, token).ConfigureAwait(false);
            return new Empty();
        });

    private Operation<TemplateInfo> BeginBuild(BuildParams p) => host.Services.Operations.Begin(HostMethod.TemplateBuild, async (operation, token) =>
    {
        var built = await host.Services.Templates.BuildAsync(p, operation, token).ConfigureAwait(false);
        operation.Made(built.Digest);
        host.Services.Events.Publish("template.built", message: $"{built.Name ?? p.Recipe} {built.Digest}");
        return built;
    });
}
