using System.Data;
using System.Web.Services;

namespace Interop
{
    /// <summary>Answers any scenario by name.</summary>
    [WebService(Namespace = "https://os.ecgrid.io/", Name = "DataSets")]
    public class DataSetService : WebService
    {
        [WebMethod]
        public DataSet Answer(string Scenario) { return Scenarios.Build(Scenario); }
    }
}
