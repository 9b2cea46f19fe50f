# Compiler settings shared by all targets, and the two functions that declare a layer and a unit test.

add_library(xsd_options INTERFACE)
target_include_directories(xsd_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
target_include_directories(xsd_options SYSTEM INTERFACE ${EXPECTED_INCLUDE_DIR})
target_compile_options(xsd_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion $<$<BOOL:${XSD_WERROR}>:-Werror>
  -fstack-protector-strong -fno-plt)
target_compile_definitions(xsd_options INTERFACE _GNU_SOURCE XSD_VERSION="${PROJECT_VERSION}")
if(XSD_SANITIZE)
  target_compile_options(xsd_options INTERFACE -fsanitize=${XSD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(xsd_options INTERFACE -fsanitize=${XSD_SANITIZE})
  target_compile_definitions(xsd_options INTERFACE XSD_SANITIZED)
endif()
if(XSD_FUZZ)
  target_compile_options(xsd_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# xsd_layer(NAME SOURCES file... USES layer-or-library...): the static library xsd_NAME of the folder xsd/NAME.
function(xsd_layer name)
  cmake_parse_arguments(LAYER "" "" "SOURCES;USES;PRIVATE" ${ARGN})
  add_library(xsd_${name} STATIC ${LAYER_SOURCES})
  target_link_libraries(xsd_${name} PUBLIC xsd_options ${LAYER_USES} PRIVATE ${LAYER_PRIVATE})
endfunction()

# What runs at a start, a reload or an end, or beside a connection that does not wait for it, is made small: most of
# the program's code is that, and each process that holds less of it has more room.
function(xsd_make_small)
  foreach(layer IN LISTS ARGN)
    # GCC 12 takes an empty std::optional for uninitialized when it inlines as little as this.
    target_compile_options(xsd_${layer} PRIVATE
      $<$<CONFIG:RelWithDebInfo,Release,None>:-Os$<SEMICOLON>$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>>)
  endforeach()
endfunction()

# Test code is compiled more often than it runs: no optimiser for it, whatever the code under test is built with.
function(xsd_quick_to_compile target)
  target_compile_options(${target} PRIVATE -O0 -g1)
endfunction()

# xsd_unit_test(LAYER SOURCES file... [USES target...]): one test program of a layer, label `unit`.
function(xsd_unit_test layer)
  cmake_parse_arguments(UNIT "" "" "SOURCES;USES;DEFINES" ${ARGN})
  add_executable(test_${layer} ${UNIT_SOURCES})
  target_link_libraries(test_${layer} PRIVATE xsd_${layer} ${UNIT_USES} GTest::gmock GTest::gtest_main)
  target_compile_definitions(test_${layer} PRIVATE ${UNIT_DEFINES})
  xsd_quick_to_compile(test_${layer})
  add_test(NAME unit.${layer} COMMAND test_${layer} --gtest_brief=1)
  set_tests_properties(unit.${layer} PROPERTIES LABELS unit TIMEOUT 120)
endfunction()
