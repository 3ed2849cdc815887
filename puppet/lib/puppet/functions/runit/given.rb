# frozen_string_literal: true

# @summary Those of some values that were given: all that are not undef.
#
# In Ruby, since each define asks it about some fifty values.
Puppet::Functions.create_function(:'runit::given') do
  # @param values
  #   Values by name.
  #
  # @return [Hash[String, Any]]
  #   The ones that are not undef.
  dispatch :given do
    param 'Hash[String, Any]', :values
    return_type 'Hash[String, Any]'
  end

  def given(values)
    values.compact
  end
end
