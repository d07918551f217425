using System.Web.Services.Protocols;
using System.Xml;

namespace Interop
{
    /// <summary>Faults in the shapes that the service's documentation shows.</summary>
    public static class Faults
    {
        const string Actor = "/v4.1/prod/ECGridOS.asmx";

        /// <summary>word | number | info | flat: how an authentication fault carries its detail.</summary>
        public static string Shape = "word";

        public static SoapException Authentication(string item = "SessionID")
        {
            switch (Shape)
            {
                case "number": return Coded("Invalid SessionID", "5");
                case "info": return Informed("detail", "ErrorInfo", item);
                case "flat": return Informed("details", null, item);
                default: return Coded("Invalid Session ID", "Authentication");
            }
        }

        public static SoapException Denied() { return Coded("Access Denied", "Authorization"); }

        public static SoapException NotFound(string name) { return Coded("Object not found: " + name, "ObjectNotFound"); }

        public static SoapException Parameter(string name)
        {
            return Coded("Invalid Parameter: " + name, "InvalidParameter");
        }

        static SoapException Coded(string message, string code)
        {
            XmlElement detail = new XmlDocument().CreateElement("detail");
            Append(detail, "ECGridOSSOAPErrorCode", code);
            return new SoapException(message, SoapException.ClientFaultCode, Actor, detail);
        }

        static SoapException Informed(string root, string wrapper, string item)
        {
            XmlElement detail = new XmlDocument().CreateElement(root);
            XmlElement info = wrapper == null ? detail : Append(detail, wrapper, null);
            Append(info, "ErrorCode", "1");
            Append(info, "ErrorString", "Invalid Session");
            Append(info, "ErrorItem", item);
            Append(info, "ErrorMessage", "The session is not valid or has expired");
            return new SoapException("Invalid Session", SoapException.ClientFaultCode, Actor, detail);
        }

        static XmlElement Append(XmlElement parent, string name, string text)
        {
            XmlElement child = parent.OwnerDocument.CreateElement(name);
            if (text != null) child.InnerText = text;
            parent.AppendChild(child);
            return child;
        }
    }
}
