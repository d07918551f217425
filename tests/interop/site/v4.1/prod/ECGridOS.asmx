<%@ WebService Class="Interop.EcgridService" %>
