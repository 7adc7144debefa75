using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Vivarium.Storage.Tests")]
