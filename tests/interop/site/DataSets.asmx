<%@ WebService Class="Interop.DataSetService" %>
