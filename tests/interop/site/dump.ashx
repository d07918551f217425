<%@ WebHandler Class="Interop.DumpPage" %>
