using System.Runtime.CompilerServices;

// Every system call here takes blittable arguments; the marshaller has nothing to do.
[assembly: DisableRuntimeMarshalling]
[assembly: InternalsVisibleTo("Vivarium.Linux.Tests")]
