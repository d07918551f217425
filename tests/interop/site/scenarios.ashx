<%@ WebHandler Class="Interop.ScenariosPage" %>
