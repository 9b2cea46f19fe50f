# xsd_add_plugin(NAME source...): the loadable plugin NAME.so, which sees xsd/plugin.h and exports its entry and nothing else.
# The same file serves the plugins of this tree and, installed with the package xsd-plugin, those of everybody else.
set(XSD_PLUGIN_MAP ${CMAKE_CURRENT_LIST_DIR}/xsd-plugin.map)

function(xsd_add_plugin name)
  if(NOT name MATCHES "^[a-z0-9_-]+$")
    message(FATAL_ERROR "xsd_add_plugin: the name '${name}' of a plugin is made of a-z, 0-9, _ and -")
  endif()
  add_library(${name} MODULE ${ARGN})
  target_link_libraries(${name} PRIVATE xsd::plugin)
  set_target_properties(${name} PROPERTIES
    PREFIX "" SUFFIX .so
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS ${XSD_PLUGIN_MAP})
  # A plugin finds nothing in the daemon, so what is missing shows here and not when it is loaded.
  target_link_options(${name} PRIVATE LINKER:--version-script=${XSD_PLUGIN_MAP} LINKER:-z,defs)
endfunction()
