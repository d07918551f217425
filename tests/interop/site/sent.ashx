<%@ WebHandler Class="Interop.SentPage" %>
